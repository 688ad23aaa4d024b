"""Named arrays in one file that workers map into memory: safetensors, read as views of the mapped bytes, without a copy."""

import json
from typing import Any

import numpy as np

from pipeline.errors import InfrastructureError

_TYPES = {
    "U8": np.uint8, "I8": np.int8, "I32": np.int32, "I64": np.int64, "U64": np.uint64, "F32": np.float32, "F64": np.float64,
}  # fmt: skip


def pack(tensors: dict[str, np.ndarray]) -> bytes:
    """The file: the same arrays give the same bytes. Aligned for their types when the file begins at a page."""
    from safetensors.numpy import save

    return save(tensors)


def unpack(data: np.ndarray) -> dict[str, np.ndarray]:
    """Views of a file's bytes, uint8[n]. Raises InfrastructureError when they are no such file.

    >>> unpack(np.frombuffer(bytearray(pack({"a": np.arange(3)})), np.uint8))["a"].tolist()
    [0, 1, 2]
    """
    try:
        size = int.from_bytes(data[:8].tobytes(), "little")
        header: dict[str, Any] = json.loads(data[8 : 8 + size].tobytes())
        body, found = data[8 + size :], {}
        for name, entry in header.items():
            if name != "__metadata__":
                start, stop = entry["data_offsets"]
                found[name] = body[start:stop].view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"a file of arrays cannot be read: {error}; delete it and run again") from error
