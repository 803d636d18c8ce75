# SPDX-License-Identifier: MIT
"""zlib stands in for libdeflate: the same contents and the same refusals."""

from __future__ import annotations

import random
import zlib

import pytest

from tinyprof.cramfs.reading.blocks import unpacks_to
from tinyprof.cramfs.streams import adler32, crc32, unpack, unpack_by_zlib
from tinyprof.pages import PAGE_SIZE

SEED = 20261128
PAGE = b"a page of text" * 292 + b"tail...."
STREAM = zlib.compress(PAGE)


def test_both_give_the_content_of_a_whole_stream() -> None:
    assert len(PAGE) == PAGE_SIZE
    assert unpack(STREAM, PAGE_SIZE) == PAGE
    assert unpack_by_zlib(STREAM, PAGE_SIZE) == (PAGE, "")
    assert crc32(PAGE, 7) == zlib.crc32(PAGE, 7)
    assert adler32(PAGE) == zlib.adler32(PAGE)
    assert unpacks_to(STREAM, PAGE)


@pytest.mark.parametrize(
    ("stream", "limit"),
    [
        (STREAM[:-1], PAGE_SIZE),
        (STREAM[:20], PAGE_SIZE),
        (b"", PAGE_SIZE),
        (b"\0" * 30, PAGE_SIZE),
        (STREAM[:-4] + bytes(4), PAGE_SIZE),
        (STREAM, PAGE_SIZE - 1),
        (zlib.compress(PAGE + b"x"), PAGE_SIZE),
    ],
)
def test_both_refuse_a_stream_that_is_broken_or_too_long(stream: bytes, limit: int) -> None:
    assert unpack(stream, limit) is None
    content, fault = unpack_by_zlib(stream, limit)
    assert content is None
    assert fault


def test_both_agree_on_streams_with_changed_bytes() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for _ in range(2_000):
        edited = bytearray(STREAM)
        edited[rng.randrange(len(edited))] = rng.randrange(256)
        assert unpack(bytes(edited), PAGE_SIZE) == unpack_by_zlib(bytes(edited), PAGE_SIZE)[0]
