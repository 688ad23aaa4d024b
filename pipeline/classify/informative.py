"""Whether a page informs: a linear model over what it is written like, the same for every subject and speaker.

Features are counts of sentences, lines, figures, repeats, and of words in six closed classes: function words that carry
sentences, words that join reasons, words that explain, and the words of navigation, of selling and of talk about oneself. No
word for people, no pronoun of the third person and no word or form of a dialect is in them. The weights,
`informative.safetensors`, were fitted on half of 360 web pages that were read; `informative.md` is their card. English.
"""

import numpy as np
import pyarrow as pa

from pipeline.classify.model import grams
from pipeline.core.shipped_weights import ShippedWeights
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import page_counts as counts
from pipeline.kernels.text.page_counts import page_counts
from pipeline.kernels.text.term_trie import hash_word

WEIGHTS = ShippedWeights("pipeline.classify", "informative.safetensors")
"""`weights`, `middle` and `scale` float32[k]: of features less their middle, in units of their scale, held to 3 of them; `ranks`
float32[101]: the sums below which 0, 1 … 100 % of web pages lie."""

CLASSES = {
    "function": "the of and to in a that for as with by on from at or which an this into through between its than these "
    "those such under over after before during both each",
    "reasons": "because therefore however although though thus whether while since hence whereas unless moreover furthermore "
    "nevertheless despite instead rather indeed consequently if otherwise yet still given due",
    "explains": "means meaning called known defined refers example instance according study studies research researchers "
    "evidence results result data report reported percent average most many often generally usually cause causes caused "
    "effect effects reason increase increased decrease process system systems method methods theory analysis based compared "
    "different similar large small number including includes required requires part type types kind form history century "
    "government law court policy development section figure table described shows found suggests indicates occurs contains "
    "consists provides structure function problem problems solution question argument public national early later first "
    "second third",
    "navigation": "click here home page pages site sites website web search login log sign password username email mail contact "
    "copyright reserved rights privacy policy terms menu link links subscribe newsletter register account feed archives archive "
    "comment comments posted tags share tweet facebook twitter instagram browser javascript cookies unavailable error "
    "requested updated webmaster visitor forum reply quote thread next previous index main top back www com http https html rss "
    "download view gallery photos video advertisement advertise sponsored subscribers member members",
    "selling": "buy sale price prices free offer offers order shop shopping shipping discount deal deals best amazing stunning "
    "gorgeous perfect love favorite favourite your save guarantee guaranteed today quality service services customers "
    "clients unique gift gifts luxury available visit call welcome experienced products brand brands style collection design "
    "fun exciting beautiful special enjoy",
    "talk": "i my me you just really pretty thing things guess anyway blog post awesome cool stuff hi thanks",
}
"""Closed classes of words, by name. A word stands in one."""


def _table() -> tuple[np.ndarray, np.ndarray]:
    """The open table of the words: uint64 and uint8[1024]."""
    keys, classes = np.zeros(1024, np.uint64), np.zeros(1024, np.uint8)
    for number, words in enumerate(CLASSES.values()):
        for word in words.split():
            key = hash_word(word)
            slot = key % len(keys)
            while keys[slot] not in (0, key):
                slot = (slot + 1) % len(keys)
            keys[slot], classes[slot] = key, number
    return keys, classes


KEYS, CLASS_OF = _table()
FEATURES = [
    "log words", "letters a word", *CLASSES, "digits", "capitals", "capital words", "numbers", "ended lines", "short lines",
    "log words a sentence", "commas", "pauses", "calls", "symbols", "quotes", "ellipses", "units", "log words a line",
    "repeats",
]  # fmt: skip
"""Names of the features, in the order of the weights."""


REPEATS_FROM = 0.5
"""Of a text's words and pairs of words, the share that is different: below this, it says the same again and again. Of web pages
92 % are above it, of those with more than 8,000 characters 86 %."""


def features(text: pa.Array | pa.ChunkedArray, borders: np.ndarray | None = None) -> np.ndarray:
    """float64[n, features]: shares of words, of bytes or of letters; logarithms of lengths.

    `borders` are the row offsets of `grams`, where they are known.
    """
    offsets, data = text_buffers(text)
    borders = grams(text)[0] if borders is None else borders
    n = page_counts(offsets, data, counts.KIND, counts.MARKS, KEYS, CLASS_OF, len(CLASSES)).astype(np.float64)
    words, size, letters = (np.maximum(n[:, at], 1) for at in (counts.WORDS, counts.BYTES, counts.LETTERS))
    columns = [np.log(np.maximum(np.diff(offsets) / size, 1) * words), letters / words]
    columns += [n[:, counts.FIRST_CLASS + at] / words for at in range(len(CLASSES))]
    columns += [n[:, counts.DIGITS] / size, n[:, counts.CAPITALS] / letters]
    columns += [n[:, at] / words for at in (counts.CAPITAL_WORDS, counts.NUMBERS)]
    columns += [n[:, at] / size for at in (counts.ENDED_LINE_BYTES, counts.SHORT_LINE_BYTES)]
    columns.append(np.log(words / (n[:, counts.SENTENCES] + 1)))
    marks = (counts.COMMAS, counts.PAUSES, counts.CALLS, counts.SYMBOLS, counts.QUOTES, counts.ELLIPSES, counts.UNITS)
    columns += [n[:, at] / words for at in marks]
    columns.append(np.log(words / (n[:, counts.LINES] + 1) + 1))
    columns.append(np.maximum(REPEATS_FROM - np.diff(borders) / (2 * words), 0))
    return np.stack(columns, axis=1)


def standard(found: np.ndarray, middle: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Features less their middle, in units of their scale, no further out than three: one odd share decides nothing alone."""
    return np.clip((found - middle) / scale, -3, 3)


def informative(text: pa.Array | pa.ChunkedArray, borders: np.ndarray | None = None) -> np.ndarray:
    """float64[n] of 0-1: the share of web pages that inform less than each text; `borders` as in `features`."""
    fitted = WEIGHTS.tensors
    sums = standard(features(text, borders), fitted["middle"], fitted["scale"]) @ fitted["weights"].astype(np.float64)
    return rank(sums, fitted["ranks"])


def rank(values: np.ndarray, below: np.ndarray) -> np.ndarray:
    """float64[n] of 0-1: where values stand among those whose hundredths are `below`, float[101].

    >>> rank(np.array([0.0, 25.0, 200.0]), np.arange(101.0)).tolist()
    [0.0, 0.25, 1.0]
    """
    return np.interp(values, below.astype(np.float64), np.linspace(0, 1, len(below)))
