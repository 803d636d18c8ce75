# SPDX-License-Identifier: MIT
"""The agent's C encoder, under sanitizers, against the host's decoder."""

from __future__ import annotations

import random
import subprocess
from array import array
from pathlib import Path

import pytest

from tinyprof.wire.frames import FRAME_MAX, FrameDecoder
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Status
from tinyprof.wire.sequence import Frame

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261124


@pytest.fixture(scope="session")
def emit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """agent/tests/emit.c, built for this machine with address and undefined-behaviour
    sanitizers."""
    out = tmp_path_factory.mktemp("agent")
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), "emit", f"O={out}"], check=True)
    return out / "emit"


def sent(emit: Path, words: list[int]) -> tuple[bytes, list[Message]]:
    line = subprocess.run(
        [emit], input=array("I", words).tobytes(), stdout=subprocess.PIPE, check=True
    ).stdout
    events = FrameDecoder().feed(line)
    frames = [event for event in events if isinstance(event, Frame)]
    assert len(frames) == len(events)
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    return line, [frame.message for frame in frames]


def records_of(words: list[int]) -> list[tuple[int, int]]:
    return [
        (word & 0x07FFFFFF, kind) for word in words for kind in range(4) if word >> 28 + kind & 1
    ]


def test_hello_epoch_end_and_status_arrive_as_they_were(emit: Path) -> None:
    _, (hello, end, status) = sent(emit, [])
    assert isinstance(hello, Hello)
    assert (hello.kernel, hello.arch, hello.epoch_ms) == (
        "6.1.192-a-release-longer-than-3",
        "armv7l",
        1000,
    )
    assert hello.volumes[0].name == "sixteen bytes ok"
    assert hello.volumes[0].fsid.crc == 0xE7D3B8E0
    assert end == EpochEnd(0, 7, 0xFFFFFFFF, (1, 200, 3000, 400_000), 500_000)
    assert status == Status(70_000, 127, 128, 255)


@pytest.mark.parametrize("span", [4, 40, 5_000, 1 << 27])
def test_records_arrive_whole_and_in_order(emit: Path, span: int) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    base = rng.randrange((1 << 27) - span + 1)
    words = [base + rng.randrange(span) | rng.randrange(1, 16) << 28 for _ in range(20_000)]
    _, messages = sent(emit, words)
    pages = [message for message in messages if isinstance(message, Pages)]
    got = [pair for message in pages for pair in zip(message.page_ids, message.kinds, strict=True)]
    assert got == records_of(words)


def test_frames_are_full_and_never_longer_than_the_format_allows(emit: Path) -> None:
    line, _ = sent(emit, [1000 + n | 1 << 28 for n in range(10_000)])
    sizes = [len(run) for run in line.split(b"\0") if run]
    assert max(sizes) == FRAME_MAX + 1


def test_a_run_of_neighbours_costs_little_more_than_a_byte_a_page(emit: Path) -> None:
    empty, _ = sent(emit, [])
    line, _ = sent(emit, [1000 + n | 1 << 28 for n in range(10_000)])
    assert len(line) - len(empty) < 11_500
