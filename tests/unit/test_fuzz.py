# SPDX-License-Identifier: MIT
"""Mutated lines, messages and captures: no exception but our own, and no memory and no steps that
the input did not pay for.

Checksums are made right again, so that a damaged input gets as far as it can. `TINYPROF_FUZZ` is
how many inputs each kind gets. `make bench` gives 2,000,000 in all.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest

from tinyprof.capture.compression import LinePacker
from tinyprof.capture.format import CHUNK_HEAD, CHUNK_MAX, MAGIC, Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.errors import TinyprofError
from tinyprof.heat.boots import PAGES_MAX, split_boots
from tinyprof.heat.totals import Tally
from tinyprof.live.snapshot import LiveHeat
from tinyprof.profile.resolve import make_profile
from tinyprof.report.export.trace import trace_pieces
from tinyprof.wire.frames import FrameDecoder, encode_frame

SEED = 20261124
INPUTS = int(os.environ.get("TINYPROF_FUZZ", "12000"))
PEAK_MAX = 24 << 20
"""Bytes that all inputs of a kind together may take; these are small."""

MEMORY_BASE, MEMORY_FACTOR = 64 << 20, 8
"""Bytes that one input may take: a base, and so much for each of its bytes."""

STEPS_BASE, STEPS_FACTOR = 100_000, 60
"""Calls that one input may cost: a base, and so many for each byte of it and of its line."""

MEASURED = 300
"""Inputs of each kind whose memory and steps are measured, which is slow."""

ODD = (0, 1, -1, 127, 255, 1 << 16, (1 << 27) - 1, 1 << 27, (1 << 32) - 1, 1 << 63, None, True)
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
    events = decoder.feed(line) + decoder.finish()
    for event in events:
        tally.take(event)
    tally.totals(0.0, decoder.sequence)
    decoder.sequence.ack()
    for boot in split_boots(events):
        for volume in boot.volumes.values():
            assert len(volume.pages) <= PAGES_MAX


def shuffled(rng: random.Random, body: bytes) -> bytes:
    """A body whose elements are others, still msgpack."""
    elements = msgpack.unpackb(body, raw=False, unicode_errors="surrogateescape")
    for _ in range(rng.randrange(1, 4)):
        where = elements
        while isinstance(where, list) and where and rng.random() < 0.6:
            at = rng.randrange(len(where))
            if isinstance(where[at], list) and rng.random() < 0.7:
                where = where[at]
                continue
            match rng.randrange(5):
                case 0:
                    del where[at]
                case 1:
                    where[at] = [where[at]]
                case 2:
                    where.append(where[at])
                case _:
                    where[at] = rng.choice(ODD)
            break
    packed: bytes = msgpack.packb(elements, unicode_errors="surrogateescape")
    return packed


def frames(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A line of frames with good checksums, of which some bodies make no sense."""
    line = bytearray()
    for _ in range(rng.randrange(1, 40)):
        body = rng.choice(seeds)
        if rng.random() < 0.6:
            body = shuffled(rng, body) if rng.random() < 0.7 else mutated(rng, body)
        line += encode_frame(body[:250])
        if rng.random() < 0.1:
            line += rng.randbytes(rng.randrange(20))
    return bytes(line)


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


def fuzzed_recordings(rng: random.Random) -> Iterator[Callable[[], int]]:
    """Captures with good chunks around good frames around damaged messages, packed or not."""
    seeds, indexes = bodies(), [CaptureReader(io.BytesIO(data)).index for data in captures()]
    while True:
        file = io.BytesIO()
        packer = LinePacker() if rng.random() < 0.3 else None
        writer = CaptureWriter(file, index=rng.choice(indexes), packer=packer)
        for second in range(rng.randrange(1, 4)):
            writer.line(frames(rng, seeds), float(second))
            if rng.random() < 0.3:
                writer.mark("steady")
            if rng.random() < 0.2:
                writer.gap(float(second))
        writer.losses({"gaps": 1, "silent_ms": rng.choice((0, 9000))})
        writer.end(rng.choice(list(Ending)))
        data = file.getvalue()
        if rng.random() < 0.3:
            data = sealed(mutated(rng, data))
        yield lambda data=data: read(data)  # type: ignore[misc]


def sealed(data: bytes) -> bytes:
    """Every chunk with a good checksum, as far as its size makes sense."""
    found, at = bytearray(MAGIC[:5] + data[5:6] + MAGIC[6:]), 8
    while at + CHUNK_HEAD.size <= len(data):
        kind, size, _ = CHUNK_HEAD.unpack_from(data, at)
        size = min(size, CHUNK_MAX, len(data) - at - CHUNK_HEAD.size)
        body = data[at + CHUNK_HEAD.size : at + CHUNK_HEAD.size + size]
        found += CHUNK_HEAD.pack(kind, len(body), zlib.crc32(kind + body)) + body
        at += CHUNK_HEAD.size + size
    return bytes(found)


def read(data: bytes) -> int:
    """Read a capture in every way; how many bytes it and its line have."""
    size = len(data)
    with contextlib.suppress(TinyprofError):
        reader = CaptureReader(io.BytesIO(data))
        reader.seek(1.0)
        for _ in reader.events():
            pass
    with contextlib.suppress(TinyprofError):
        reader = CaptureReader(io.BytesIO(data))
        heat = LiveHeat(reader.index)
        heat.take(list(reader.events()))
        size += reader.line_bytes
        heat.finish()
        heat.snapshot(1.0, whole=True)
    with contextlib.suppress(TinyprofError):
        make_profile([CaptureReader(io.BytesIO(data))])
    with contextlib.suppress(TinyprofError):
        reader = CaptureReader(io.BytesIO(data))
        if reader.index:
            for _ in trace_pieces(reader.events(), reader.index):
                pass
    return size


ALL_INPUTS: dict[str, Callable[[random.Random], Iterator[Callable[[], object]]]] = {
    "lines": fuzzed_lines,
    "messages": fuzzed_messages,
    "captures": fuzzed_captures,
    "recordings": fuzzed_recordings,
}


def test_one_input_costs_a_small_multiple_of_itself() -> None:
    """Memory by tracemalloc, steps by the calls that Python makes."""
    print(f"seed {SEED}")
    cases = fuzzed_recordings(random.Random(SEED))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    tracemalloc.start()
    try:
        for _ in range(min(INPUTS, MEASURED)):
            case, calls = next(cases), 0
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            sys.setprofile(count)
            size = case()
            sys.setprofile(None)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak <= MEMORY_BASE + MEMORY_FACTOR * size
            assert calls <= STEPS_BASE + STEPS_FACTOR * size
    finally:
        sys.setprofile(None)
        tracemalloc.stop()


def hostile_line(size: int) -> Iterator[bytes]:
    """Frames that name a new page with nearly every byte, in eight volumes."""
    seq = at = 0
    while at < size:
        for volume in range(8):
            first = seq * 400 % (1 << 26)
            body = msgpack.packb(
                [2, seq % 65_536, volume, 1 + seq // 3000, 0, [first] + [1] * 200]
            )
            frame = encode_frame(body)
            seq, at = seq + 1, at + len(frame)
            yield frame


def name_pages(size: str) -> None:
    """Split a hostile line of so many bytes into boots, whose pages are bounded."""
    decoder = FrameDecoder()
    events = (event for frame in hostile_line(int(size)) for event in decoder.feed(frame))
    for boot in split_boots(events):
        assert sum(len(volume.pages) for volume in boot.volumes.values()) > 200_000


def try_inputs(kind: str, count: str) -> None:
    """Give so many inputs of a kind to what reads them."""
    cases = ALL_INPUTS[kind](random.Random(SEED))
    for _ in range(int(count)):
        next(cases)()


IN_A_PROCESS = """
import re, sys
sys.path.insert(0, sys.argv[1])
from unit import test_fuzz
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")
before = peak()
getattr(test_fuzz, sys.argv[2])(*sys.argv[3:])
print((peak() - before) << 10)
"""
"""VmHWM is of this program alone, and begins anew by that write. ru_maxrss begins at that of the
process that started it."""


def memory_of(function: Callable[..., None], *words: str) -> int:
    """Bytes by which a process grows in which a function of this module does its work."""
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", IN_A_PROCESS, tests, function.__name__, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_target_that_names_pages_without_end_takes_bounded_memory() -> None:
    size = 6 << 20
    assert memory_of(name_pages, str(size)) <= MEMORY_BASE + MEMORY_FACTOR * size


@pytest.mark.parametrize("kind", ALL_INPUTS)
def test_nothing_but_our_own_errors_and_bounded_memory(kind: str) -> None:
    print(f"seed {SEED}")
    # A recording is resolved into a profile and a snapshot, too: that takes ten times as long.
    count = INPUTS // 6 if kind == "recordings" else INPUTS
    grown = memory_of(try_inputs, kind, str(count))
    print(f"{grown >> 10} KiB")
    assert grown < PEAK_MAX
