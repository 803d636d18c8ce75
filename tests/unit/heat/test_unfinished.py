# SPDX-License-Identifier: MIT
"""An epoch that the end of a recording cut off: its pages count, but it makes no page of the
steady state seem seldom."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex, stored_sizes
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.heat.boots import Boot, split_boots
from tinyprof.plan.what_if import what_if
from tinyprof.profile.resolve import make_profile, profile_of_boot
from tinyprof.record.sim import RECORDED
from tinyprof.wire.frames import Event, HostMark, encode_message
from tinyprof.wire.messages import EpochEnd, Message, Pages
from tinyprof.wire.sequence import Frame

CUTS = 20
"""Moments between two ends of epochs."""


@pytest.fixture(scope="module")
def recording() -> tuple[list[Event], ImageIndex]:
    path = RECORDED
    with path.open("rb") as file:
        reader = CaptureReader(file)
        events = list(reader.events())
    assert reader.index
    return events, reader.index


def steady_saving(events: list[Event], index: ImageIndex) -> int:
    """Bytes of page cache that everything in place saves in the steady state."""
    (boot,) = split_boots(events)
    return what_if(profile_of_boot(boot, index), stored_sizes(index)).everything.saves


def test_where_a_recording_is_cut_hardly_changes_the_predicted_steady_state(
    recording: tuple[list[Event], ImageIndex],
) -> None:
    events, index = recording
    ends = [
        place
        for place, event in enumerate(events)
        if isinstance(event, Frame) and isinstance(event.message, EpochEnd)
    ]
    # The steady state is known once it has an epoch.
    for before, after in pairwise(ends[3:]):
        whole = steady_saving(events[: before + 1], index)
        for cut in range(1, CUTS + 1):
            size = before + 1 + (after - before - 1) * cut // CUTS
            assert abs(steady_saving(events[:size], index) - whole) <= 0.03 * whole


def boot_of(messages: list[Message | str]) -> Boot:
    boot = Boot()
    for seq, it in enumerate(messages):
        boot.take(HostMark(it) if isinstance(it, str) else Frame(seq, 0, it))
    boot.finish()
    return boot


def epochs(count: int) -> list[Message | str]:
    """Epochs of a second, whose pages come in their first half."""
    said: list[Message | str] = []
    for epoch in range(1, count + 1):
        said.append(Pages(0, epoch, 1000 * epoch - 500, (1, 2), bytes(2)))
        said.append(EpochEnd(0, epoch, 1000 * epoch, (2, 0, 0, 0)))
    return said


def test_the_share_that_a_cut_epoch_lasted_is_told() -> None:
    boot = boot_of([*epochs(4), Pages(0, 5, 4250, (1, 9), bytes(2))])
    phases = [(phase.first, phase.epochs, phase.share) for phase in boot.volumes[0].phases]
    assert phases[-1] == (5, 1, 0.25)
    assert sum(count for _, count, _ in phases) == 5
    assert boot.volumes[0].pages[9].epochs == 1


def test_an_epoch_whose_end_alone_was_lost_is_whole() -> None:
    boot = boot_of([*epochs(4), Pages(0, 5, 5000, (1,), bytes(1))])
    assert all(phase.share == 1 for phase in boot.volumes[0].phases)


def test_a_phase_that_has_but_begun_is_told_as_cut() -> None:
    boot = boot_of([*epochs(3), "steady", *epochs(4)[-2:], Pages(0, 5, 4500, (1,), bytes(1))])
    assert [(phase.name, phase.share) for phase in boot.volumes[0].phases][-1] == ("steady", 0.5)


@pytest.mark.parametrize(
    ("losses", "ending", "ended"),
    [
        ({"silent_ms": 9000}, Ending.DURATION, "silent"),
        ({}, None, "killed"),
        ({}, Ending.DURATION, None),
    ],
)
def test_a_profile_knows_what_cut_its_recording_off(
    story: list[Message],
    index: ImageIndex,
    losses: dict[str, int],
    ending: Ending | None,
    ended: str | None,
) -> None:
    file = io.BytesIO()
    writer = CaptureWriter(file, index=index)
    writer.line(b"".join(encode_message(message, seq) for seq, message in enumerate(story)))
    writer.losses(losses)
    if ending is not None:
        writer.end(ending)
    file.seek(0)
    (boot,) = make_profile([CaptureReader(file)]).boots
    assert boot.extra.get("ended") == ended
