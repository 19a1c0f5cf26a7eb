"""Bytes as a page holds them: deflated, and written in letters. `inflate.ts` reads them."""

import zlib
from base64 import b85encode

SHORT = 2**15  # bytes
TAME = bytes.maketrans(b"<", b",")  # else JSON in HTML would write six letters


def deflated(raw: bytes) -> str:
    """Write bytes in letters, five for four of what is left of them.

    Weights hardly repeat: most are packed best by how often each byte is there, which makes them up
    to a quarter smaller; those with many zeros are packed by what repeats, too.

    Examples
    --------
    >>> deflated(bytes(1000))
    'c${Nk7zLwX6byF&00Za%0R'
    """
    repeating = zlib.Z_FILTERED if len(raw) <= SHORT else zlib.Z_DEFAULT_STRATEGY
    packed = (_deflated(raw, strategy) for strategy in (repeating, zlib.Z_HUFFMAN_ONLY))
    return b85encode(min(packed, key=len)).translate(TAME).decode("ascii")


def _deflated(raw: bytes, strategy: int) -> bytes:
    packing = zlib.compressobj(6, strategy=strategy)
    return packing.compress(raw) + packing.flush()
