# SPDX-License-Identifier: MIT
"""A recording under the live view shows what it stores, and leaving the view leaves a whole
capture."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from support.silent import Silent
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import Roll, RollingWriter, part_path, part_paths
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.heat.totals import loss_counts
from tinyprof.live.news import News
from tinyprof.live.playback import FinishedCapture, snapshot_at
from tinyprof.live.recording import LiveRecording
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.observing import Observer, Recording, StopAfter, Wish
from tinyprof.record.recorder import record
from tinyprof.wire.frames import Event, HostMark, encode_message
from tinyprof.wire.messages import Mark, Trace
from unit.tui.conftest import EPOCHS, HOSTILE, all_news

NO_LIMITS = StopAfter()


class Held:
    """A link that says its line, then waits until it is stopped."""

    writable = False
    away = False
    gaps = 0
    overruns = 0

    def __init__(self, line: bytes) -> None:
        self._line = line
        self.silent, self._closed = threading.Event(), threading.Event()

    def read(self, timeout: float) -> bytes | None:
        data, self._line = self._line[:500], self._line[500:]
        if not data:
            self.silent.set()
            self._closed.wait(min(timeout, 0.01))
        return data

    def write(self, data: bytes) -> None:
        raise AssertionError

    def close(self) -> None:
        self._closed.set()


class Live:
    """A recording of a line, followed to its end."""

    def __init__(
        self, line: bytes, index: ImageIndex | None, limits: StopAfter = NO_LIMITS
    ) -> None:
        self.link, self.file = Held(line), io.BytesIO()
        self.posted: list[News] = []
        self.over, self.marked = threading.Event(), threading.Event()

        def begin(
            observer: Observer,
            on_events: Callable[[Sequence[Event]], None],
            commands: Callable[[], Iterable[Wish]],
            stop: Callable[[], bool],
        ) -> Recording:
            writer = CaptureWriter(self.file, index=index)
            ends = StopAfter(limits.seconds, limits.epochs, stop)
            watch = LineWatch("port", 115_200, index)
            return record(
                self.link, writer, watch, observer, ends, commands=commands, on_events=on_events
            )

        self.feed = LiveRecording("port", Path("it.tpcap"), index, begin)
        self.feed.start(self._take)

    def _take(self, news: News) -> None:
        self.posted.append(news)
        if any("mark:" in said for said in news.log):
            self.marked.set()
        if news.over:
            self.over.set()

    def leave(self) -> list[Event]:
        self.feed.join()
        assert self.over.wait(60)
        self.file.seek(0)
        self.capture = CaptureReader(self.file)
        return list(self.capture.events())


def test_leaving_ends_the_recording_and_the_capture_is_whole(
    line: bytes, index: ImageIndex
) -> None:
    live = Live(line, index)
    assert live.link.silent.wait(60)
    live.leave()
    assert (live.capture.ending, live.capture.cut_at) == (Ending.INTERRUPTED, None)
    last = live.posted[-1].snapshot
    assert (last.epoch, len(last.rows)) == (EPOCHS, 4)
    assert not last.losses


def test_a_mark_is_stored_and_said(line: bytes, index: ImageIndex) -> None:
    live = Live(line, index)
    live.feed.command(HostMark("steady"))
    assert live.marked.wait(60)
    events = live.leave()
    assert [event.text for event in events if isinstance(event, HostMark)] == ["steady"]
    assert any("mark: steady" in said for news in live.posted for said in news.log)


def test_a_limit_that_is_reached_leaves_the_view(line: bytes, index: ImageIndex) -> None:
    live = Live(line, index, StopAfter(epochs=3))
    assert live.over.wait(60)
    assert live.posted[-1].leave
    assert live.feed.recording
    assert live.feed.recording.ending is Ending.EPOCHS


def test_console_lines_come_once_and_spelt_out(line: bytes, index: ImageIndex) -> None:
    live = Live(line, index)
    assert live.link.silent.wait(60)
    live.leave()
    said = [text for news in live.posted for text in news.console]
    assert len(said) == 10
    assert all(text.isprintable() for text in said)
    assert HOSTILE not in "".join(said)


def test_what_breaks_in_the_recorder_is_told_and_kept_for_whoever_waits(index: ImageIndex) -> None:
    def begin(*_: object) -> Recording:
        raise OSError(5, "the disk is gone")

    feed = LiveRecording("port", Path("it.tpcap"), index, begin)
    posted: list[News] = []
    feed.start(posted.append)
    feed.join()
    assert isinstance(feed.crash, OSError)
    assert posted[-1].over
    assert "the disk is gone" in posted[-1].log[-1]


def test_what_the_target_is_told_stands_in_the_log(line: bytes, index: ImageIndex) -> None:
    live = Live(line, index)
    live.feed.command(Trace(False))
    live.feed.command(HostMark("after"))
    assert live.marked.wait(60)
    live.leave()
    said = [text for news in live.posted for text in news.log]
    assert any("to the target: stop recording" in text for text in said)
    # This link carries nothing to a target, and that is more than a line in the log.
    assert [it for news in live.posted for it in news.warnings if "carries nothing" in it]


def test_the_header_counts_as_the_closing_line_does(line: bytes, index: ImageIndex) -> None:
    live = Live(line[: line.rindex(b"\0", 0, -1)], index)
    assert live.link.silent.wait(60)
    live.leave()
    assert live.feed.recording
    totals, last = live.feed.recording.totals, live.posted[-1].snapshot
    assert (last.epoch, last.unfinished, last.records) == (totals.epochs, 1, totals.records)
    assert last.counts_by_cause == loss_counts(totals)


def rolled(folder: Path, line: bytes, index: ImageIndex) -> Path:
    """The line's recording in parts of two epochs, at most; the first of them."""
    first = folder / "it.tpcap"

    def begin(meta: Meta, primer: bytes) -> CaptureWriter:
        return CaptureWriter(
            part_path(first, meta.part).open("xb", buffering=0), meta, index, primer
        )

    writer = RollingWriter(Meta("0.1.0", "port", 115_200), begin, Roll(size=500))
    record(Whole(line), writer, LineWatch("port", 115_200), Silent(), StopAfter())
    return first


class Whole(Held):
    """A link that says its line and ends."""

    def read(self, timeout: float) -> bytes | None:
        return super().read(0) or None


def test_a_recording_in_parts_is_one(
    tmp_path: Path, capture: Path, line: bytes, index: ImageIndex
) -> None:
    first = rolled(tmp_path, line, index)
    parts = list(part_paths(first))
    assert len(parts) > 2
    whole = all_news(FinishedCapture([capture]))[-1].snapshot
    joined = all_news(FinishedCapture(parts))[-1].snapshot
    assert (joined.epoch, joined.records, joined.counts, joined.losses) == (
        (whole.epoch, whole.records, whole.counts, whole.losses)
    )
    assert [row.classes for row in joined.rows] == [row.classes for row in whole.rows]


@pytest.mark.parametrize("epochs", [1, 3, 6, 8])
def test_the_past_of_a_recording_in_parts_is_all_there(
    tmp_path: Path, capture: Path, line: bytes, index: ImageIndex, epochs: int
) -> None:
    def begin(*_: object) -> Recording:
        raise AssertionError

    first = rolled(tmp_path, line, index)
    seen = LiveRecording("port", first, index, begin).at(epochs, lambda: True)
    wanted = snapshot_at([capture], None, epochs, lambda: True)
    assert seen
    assert wanted
    assert (seen.epoch, seen.counts, seen.losses) == (epochs, wanted.counts, wanted.losses)


def test_a_mark_of_the_target_stands_in_the_log(line: bytes, index: ImageIndex) -> None:
    live = Live(line + encode_message(Mark(1, 9000, "boot-done"), 25), index)
    assert live.link.silent.wait(60)
    live.leave()
    assert any("mark of the target: boot-done" in it for news in live.posted for it in news.log)
