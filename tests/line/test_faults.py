# SPDX-License-Identifier: MIT
"""The real agent and the recorder on a line that flips bits, drops bytes, prints text and is
pulled."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from line.cable import BadCable
from line.kernel import Record, Volume
from line.target import Target
from support.extent import ALL
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals
from tinyprof.pages import Kind
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.noise import Noise
from tinyprof.record.recorder import Recording, StopAfter, record
from tinyprof.wire.messages import Pages
from tinyprof.wire.ports.reconnect import LastingLink
from tinyprof.wire.ports.serial_device import SerialSettings
from tinyprof.wire.sequence import Frame

SEED = 20261124
RECORDS = 200_000 if ALL else 100_000
BURST = 10_000
PULLS = 10


class Watcher:
    """An observer that lets the test see how far the recording is."""

    def __init__(self) -> None:
        self.now = Totals()
        self.warnings: list[str] = []

    def progress(self, totals: Callable[[], Totals]) -> None:
        self.now = totals()

    def console(self, text: bytes) -> None:
        pass

    def warning(self, warning: TinyprofError) -> None:
        self.warnings.append(str(warning))


class Story:
    """A target that touches so many pages in bursts, while the cable is pulled now and then."""

    def __init__(self, target: Target, cable: BadCable, rng: random.Random) -> None:
        self._tracer, self._cable, self._rng = target.tracer, cable, rng
        self._pulls = 0
        self.watcher = Watcher()

    def over(self) -> bool:
        """Called again and again by the recording: goes on with the story, and says when it is
        over."""
        if any(volume.queue for volume in self._tracer.volumes.values()):
            return False
        # A loss is known from the first epoch on whose end was heard, or the target's first frame.
        if not self.watcher.now.epochs:
            return False
        taken = len(self._tracer.taken)
        if taken < RECORDS:
            near = self._rng.randrange(1 << 26)
            self._tracer.touch(
                0,
                *(
                    (near + self._rng.randrange(3 * BURST), self._rng.choice(KINDS))
                    for _ in range(BURST)
                ),
            )
            if taken > RECORDS * (self._pulls + 1) // (PULLS + 2) and self._pulls < PULLS:
                self._pulls += 1
                self._cable.pull()
            return False
        return self.is_told()

    def is_told(self) -> bool:
        """Whether the host knows of an epoch after the last that had records: only an end can tell
        of it."""
        return self.watcher.now.epochs > self._tracer.taken[-1].epoch and self._pulls == PULLS


KINDS = [Kind.EXEC] * 8 + [Kind.READ, Kind.FILE]


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[BadCable]:
    print(f"seed {SEED}")
    cable = BadCable(tmp_path, SEED, noise=Noise(bits=1e-4, lost=0.01, text=0.01))
    yield cable
    cable.cut()


def recorded(
    target: Target, cable: BadCable, path: Path, *, one_way: bool
) -> tuple[Recording, Watcher]:
    target.plug_in(str(cable.agents_end))
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    story = Story(target, cable, random.Random(SEED))
    link = LastingLink(str(cable.hosts_end), SerialSettings())
    with path.open("xb", buffering=0) as file:
        target.start(TINYPROF_EPOCH="400")
        recording = record(
            link,
            CaptureWriter(file),
            LineWatch("cable", 115_200),
            story.watcher,
            StopAfter(seconds=120, stop=story.over),
            one_way=one_way,
        )
    link.close()
    print(recording.totals)
    print(
        f"flipped {cable.to_host.flipped}, lost {cable.to_host.lost}, printed "
        f"{cable.to_host.printed}"
    )
    return recording, story.watcher


def captured(path: Path) -> list[Record]:
    with path.open("rb") as file:
        messages = [
            event.message for event in CaptureReader(file).events() if isinstance(event, Frame)
        ]
    return [
        Record(pages.volume, pages.epoch, page_id, Kind(kind))
        for pages in messages
        if isinstance(pages, Pages)
        for page_id, kind in zip(pages.page_ids, pages.kinds, strict=True)
    ]


def test_a_bad_line_with_a_way_back_loses_nothing(
    target: Target, cable: BadCable, tmp_path: Path
) -> None:
    recording, _ = recorded(target, cable, tmp_path / "capture", one_way=False)
    assert cable.to_host.flipped > 100
    assert cable.to_host.lost > 10
    assert (recording.totals.gaps, recording.totals.repeats) == (PULLS, True)
    assert not recording.totals.losses
    assert captured(tmp_path / "capture") == target.tracer.taken
    assert len(target.tracer.taken) >= RECORDS


def test_a_bad_line_without_a_way_back_knows_its_loss_exactly(
    target: Target, cable: BadCable, tmp_path: Path
) -> None:
    recording, _ = recorded(target, cable, tmp_path / "capture", one_way=True)
    got = captured(tmp_path / "capture")
    assert len(got) == len(set(got))
    missing = set(target.tracer.taken) - set(got)
    assert set(got) < set(target.tracer.taken)
    assert recording.totals.losses.records == len(missing)
    assert not recording.totals.repeats
