"""A real fastText `.bin` file, small: what `fasttext-predict` loads, written by its published layout.

Little-endian: magic and version; twelve int32 settings and a double; the dictionary (sizes, then words and labels, each with
a count and a kind); the input matrix, a row a word; the output matrix, a row a label. A text's vector is the mean of its
words' rows, its chances are the softmax of that vector times the output matrix.
"""

import hashlib
import struct
from pathlib import Path

import numpy as np

MAGIC, VERSION = 793712314, 12
SOFTMAX, SUPERVISED = 3, 3
WORD, LABEL = 0, 1


def write(path: Path, words: dict[str, list[str]], weight: float = 4.0) -> str:
    """A model that gives each label the chance that its words have; returns the file's sha256."""
    labels = list(words)
    vocabulary = [word for label in labels for word in words[label]]
    rows = np.array([[weight * (word in words[label]) for label in labels] for word in vocabulary])
    data = struct.pack("<ii", MAGIC, VERSION)
    # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
    data += struct.pack("<12id", len(labels), 5, 1, 1, 5, 1, SOFTMAX, SUPERVISED, 0, 0, 0, 100, 1e-4)
    data += struct.pack("<iiiqq", len(vocabulary) + len(labels), len(vocabulary), len(labels), 1000, -1)
    for kind, names in ((WORD, vocabulary), (LABEL, labels)):
        for name in names:
            data += name.encode() + b"\0" + struct.pack("<qb", 10, kind)
    for matrix in (rows, np.eye(len(labels))):
        data += struct.pack("<?qq", False, *matrix.shape) + matrix.astype("<f4").tobytes()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
