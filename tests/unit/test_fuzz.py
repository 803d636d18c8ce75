# SPDX-License-Identifier: MIT
"""Mutated lines, messages and captures: no exception but our own, no memory that the input did not
pay for.

`TINYPROF_FUZZ` is how many inputs each of the three gets; `make bench` gives 2,000,000 in all.
"""

from __future__ import annotations

import io
import os
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinyprof.capture.format import CHUNK_HEAD, CHUNK_MAX, MAGIC
from tinyprof.capture.reader import CaptureReader
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Tally
from tinyprof.wire.frames import FrameDecoder, encode_frame

SEED = 20261124
INPUTS = int(os.environ.get("TINYPROF_FUZZ", "10000"))
PEAK_MAX = 24 << 20
CAPTURES = Path(__file__).parents[1] / "vectors/captures"
INTERESTING = (0, 1, 0x20, 0x7F, 0x80, 0x9F, 0xC1, 0xC6, 0xDB, 0xDD, 0xDF, 0xFF)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, dropped or put in twice."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([rng.choice(INTERESTING)])
            case 1:
                del changed[at : at + rng.randrange(8)]
            case 2:
                changed[at:at] = changed[at : at + rng.randrange(16)]
            case _:
                changed[at : at + 4] = rng.randbytes(rng.randrange(5))
    return bytes(changed)


def captures() -> list[bytes]:
    return [path.read_bytes() for path in sorted(CAPTURES.iterdir())]


def lines() -> list[bytes]:
    return [b"".join(CaptureReader(io.BytesIO(data)).line()) for data in captures()]


def bodies() -> list[bytes]:
    """What stands in the frames of the captures, without their checksums."""
    found = []
    for line in lines():
        for run in filter(None, line.split(b"\0")):
            plain = bytearray()
            at = 0
            while at < len(run):
                code = run[at]
                plain += run[at + 1 : at + code] + (b"\0" if at + code < len(run) else b"")
                at += code
            found.append(bytes(plain[:-4]))
    return [body for body in found if body and body[0] >> 4 == 9]


def decode(line: bytes) -> None:
    decoder, tally = FrameDecoder(), Tally()
    for event in decoder.feed(line) + decoder.finish():
        tally.take(event)
    tally.totals(0.0, decoder.sequence)
    decoder.sequence.ack()


def fuzzed_lines(rng: random.Random) -> Iterator[Callable[[], None]]:
    seeds = lines()
    while True:
        line = mutated(rng, rng.choice(seeds))
        yield lambda line=line: decode(line)  # type: ignore[misc]


def fuzzed_messages(rng: random.Random) -> Iterator[Callable[[], None]]:
    """A damaged body under a good checksum, so that it gets as far as it can."""
    seeds = bodies()
    while True:
        body = mutated(rng, rng.choice(seeds))[:250]
        yield lambda body=body: decode(encode_frame(body))  # type: ignore[misc]


def fuzzed_captures(rng: random.Random) -> Iterator[Callable[[], None]]:
    seeds = captures()
    while True:
        data = mutated(rng, rng.choice(seeds))
        if rng.random() < 0.7:
            data = sealed(data)
        yield lambda data=data: read(data)  # type: ignore[misc]


def sealed(data: bytes) -> bytes:
    """Every chunk with a good checksum, as far as its size makes sense."""
    found, at = bytearray(MAGIC[:5] + data[5:8]), 8
    while at + CHUNK_HEAD.size <= len(data):
        kind, size, _ = CHUNK_HEAD.unpack_from(data, at)
        size = min(size, CHUNK_MAX, len(data) - at - CHUNK_HEAD.size)
        body = data[at + CHUNK_HEAD.size : at + CHUNK_HEAD.size + size]
        found += CHUNK_HEAD.pack(kind, len(body), zlib.crc32(kind + body)) + body
        at += CHUNK_HEAD.size + size
    return bytes(found)


def read(data: bytes) -> None:
    try:
        reader = CaptureReader(io.BytesIO(data))
        reader.seek(1.0)
        for _ in reader.events():
            pass
    except TinyprofError:
        pass


@pytest.mark.parametrize("inputs", [fuzzed_lines, fuzzed_messages, fuzzed_captures])
def test_nothing_but_our_own_errors_and_bounded_memory(
    inputs: Callable[[random.Random], Iterator[Callable[[], None]]],
) -> None:
    print(f"seed {SEED}")
    cases = inputs(random.Random(SEED))
    tracemalloc.start()
    try:
        for _ in range(min(INPUTS, 2000)):
            next(cases)()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < PEAK_MAX
    for _ in range(INPUTS):
        next(cases)()
