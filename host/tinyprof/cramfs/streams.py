# SPDX-License-Identifier: MIT
"""Unpacks zlib streams and computes checksums: by libdeflate where it is installed, else by zlib.

Both give the same results. libdeflate is faster.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

deflate: Any
"""libdeflate; None where it is not installed, as on a machine that has click alone."""

try:
    deflate = importlib.import_module("deflate")
except ModuleNotFoundError:
    deflate = None

HAS_LIBDEFLATE = deflate is not None

crc32 = zlib.crc32 if deflate is None else deflate.crc32
adler32 = zlib.adler32 if deflate is None else deflate.adler32


def unpack(stream: bytes | memoryview, limit: int) -> bytes | bytearray | None:
    """The content of a zlib stream. None: the stream is broken, or holds more than `limit`
    bytes."""
    if deflate is None:
        return unpack_by_zlib(stream, limit)[0]
    try:
        content: bytearray = deflate.zlib_decompress(stream, limit)
    except (deflate.DeflateError, ValueError):
        return None
    return content


def unpack_by_zlib(stream: bytes | memoryview, limit: int) -> tuple[bytes | None, str]:
    """The same, by zlib, with a sentence about the fault."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(stream, limit + 1)
    except zlib.error as error:
        return None, str(error)
    if len(content) > limit:
        return None, f"it holds more than {limit} bytes"
    return (content, "") if unpacking.eof else (None, "it ends early")
