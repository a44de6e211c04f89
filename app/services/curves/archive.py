"""Arrays and words as bytes, for a table's column: NumPy's own archive, without pickled objects, JSON beside them."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def archive(arrays: Mapping[str, Any], words: Mapping[str, Any], *, compressed: bool = True) -> bytes:
    """`words`: what JSON can say."""
    file = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(file, words=np.frombuffer(json.dumps(words).encode(), dtype=np.uint8), **arrays)
    return file.getvalue()


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and words of an archive."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    words: dict[str, Any] = json.loads(arrays.pop("words").tobytes())
    return arrays, words
