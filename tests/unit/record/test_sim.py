# SPDX-License-Identifier: MIT
"""The simulated target can be recorded over good lines and bad ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

from support.silent import Silent
from tinyprof.capture.format import Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.profile.resolve import make_profile
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.noise import Noise
from tinyprof.record.recorder import Recording, record
from tinyprof.record.sim import QUIET, SimError, open_sim
from tinyprof.wire.frames import Command, Event
from tinyprof.wire.messages import Hello, Trace
from tinyprof.wire.sequence import Frame

BOARD_RECORDS = 3291
BAD = Noise(bits=3e-4, lost=0.05, text=0.05)


def recorded(
    port: str, noise: Noise = QUIET, *, one_way: bool = False
) -> tuple[Recording, io.BytesIO]:
    link, index = open_sim(port, speed=0, noise=noise)
    file = io.BytesIO()
    try:
        recording = record(
            link,
            CaptureWriter(file, index=index),
            LineWatch(port, 115_200),
            Silent(),
            one_way=one_way,
        )
    finally:
        link.close()
    file.seek(0)
    return recording, file


def test_the_reference_boards_start_is_in_the_package_and_makes_a_profile() -> None:
    recording, file = recorded("sim:")
    assert recording.ending is Ending.LINE_ENDED
    assert (recording.totals.records, recording.totals.repeats) == (BOARD_RECORDS, True)
    assert not recording.totals.losses
    profile = make_profile([CaptureReader(file)])
    assert sum(len(file.pages) for file in profile.files) == recording.totals.pages


def test_noise_costs_repeats_and_no_record() -> None:
    recording, _ = recorded("sim:", BAD)
    assert recording.totals.records == BOARD_RECORDS
    assert recording.totals.corrupt_repeated
    assert not recording.totals.losses


def test_noise_without_a_way_back_costs_what_is_said() -> None:
    recording, _ = recorded("sim:", BAD, one_way=True)
    totals = recording.totals
    # The story ends with the end of an epoch or not: what an epoch without an end lacks, nobody
    # knows.
    assert 0 < totals.losses.records <= BOARD_RECORDS - totals.records
    assert totals.losses.frames


def test_a_recording_can_be_recorded_again(tmp_path: Path) -> None:
    _, file = recorded("sim:")
    (tmp_path / "first").write_bytes(file.getvalue())
    again, _ = recorded(f"sim:{tmp_path / 'first'}")
    assert again.totals.records == BOARD_RECORDS


@pytest.mark.parametrize("content", [None, CaptureWriter])
def test_what_holds_no_target_is_refused(tmp_path: Path, content: type | None) -> None:
    if content:
        with (tmp_path / "empty").open("wb", buffering=0) as file:
            CaptureWriter(file)
    with pytest.raises(SimError, match="empty"):
        open_sim(f"sim:{tmp_path / 'empty'}")


def test_it_stops_when_it_is_told_to_and_goes_on_where_it_was() -> None:
    link, index = open_sim("sim:", speed=0)
    said: list[bool] = []
    commands: list[Command] = [Trace(False)]

    def on_events(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Frame) and isinstance(event.message, Hello):
                said.append(event.message.volumes[0].recording)
                if said[-2:] == [True, False]:
                    commands.append(Trace(True))

    try:
        recording = record(
            link,
            CaptureWriter(io.BytesIO(), index=index),
            LineWatch("sim:", 115_200),
            Silent(),
            commands=lambda: [commands.pop()] if commands else [],
            on_events=on_events,
        )
    finally:
        link.close()
    assert recording.totals.records == BOARD_RECORDS
    assert [on for on, _ in groupby(said)] == [True, False, True]
