# SPDX-License-Identifier: MIT
"""Captures of every version are read as they were meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyprof.capture.format import VERSIONS, Ending, Meta
from tinyprof.capture.reader import CaptureReader
from tinyprof.heat.losses import Losses
from tinyprof.heat.totals import Tally
from tinyprof.profile.resolve import make_profile
from tinyprof.wire.frames import ConsoleText, CorruptFrame, HostMark
from tinyprof.wire.messages import EpochEnd, Pages
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import TouchSource

CAPTURES = Path(__file__).parents[2] / "vectors/captures"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: int) -> None:
    with (CAPTURES / f"v{version}.tpcap").open("rb") as file:
        reader = CaptureReader(file)
        events = list(reader.events())
    assert (reader.version, reader.cut_at, reader.strange_chunks) == (version, None, 0)
    assert reader.ending is Ending.DURATION
    assert reader.meta == Meta("0.1.0", "/dev/ttyACM0", 115_200, 1_795_000_000)
    assert reader.index is not None
    (shell,) = reader.index.files
    assert (shell.path, shell.ino, shell.size, shell.stored, shell.flags) == (
        "/bin/sh",
        400,
        8192,
        (1200, 4096),
        bytes([0, 7]),
    )
    assert [event.data for event in events if isinstance(event, ConsoleText)] == [b"login: "]
    assert [event.data for event in events if isinstance(event, CorruptFrame)] == [b"\xfe\xfe"]
    messages = [event.message for event in events if isinstance(event, Frame)]
    assert Pages(0, 1, 5, (100, 101), bytes([0, 3])) in messages
    assert EpochEnd(0, 2, 19, (2, 0, 0, 0)) in messages
    tally = Tally()
    for event in events:
        tally.take(event)
    losses = tally.totals(0.0).losses
    assert (losses.frames, losses.records, losses.corrupt) == (1, 2, 1)


def test_files_that_a_target_told_are_read_and_resolved() -> None:
    with (CAPTURES / "v2-files.tpcap").open("rb") as file:
        profile = make_profile([CaptureReader(file)])
    (boot,), (used,) = profile.boots, profile.files
    assert boot.source == TouchSource(1, 1, 16, 3, True)
    assert (boot.losses, boot.epochs) == (Losses(lost_events=5), 1)
    assert (used.path, list(used.pages)) == ("/usr/lib/ld.so", [0, 1])
    assert profile.unknown_pages == 2


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_what_the_second_version_added(version: int) -> None:
    with (CAPTURES / f"v{version}.tpcap").open("rb") as file:
        reader = CaptureReader(file)
        events = list(reader.events())
    assert [event.text for event in events if isinstance(event, HostMark)] == ["steady"]
    assert (reader.gaps, reader.seconds, reader.losses) == (
        [3.5],
        6.0,
        {"frames": 1, "records": 2},
    )
    # They were repeated, and the first came last.
    assert [event.message for event in events if isinstance(event, Frame)][-2:] == [
        Pages(0, 3, 25, (101,), bytes(1)),
        EpochEnd(0, 3, 30, (1, 0, 0, 0), 5),
    ]
