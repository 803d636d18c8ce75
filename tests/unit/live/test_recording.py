# SPDX-License-Identifier: MIT
"""A feed posts last news whatever happens: without them the view would never close."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from pathlib import Path

import pytest

from tinyprof.capture.format import Ending
from tinyprof.heat.totals import Totals
from tinyprof.live.news import News
from tinyprof.live.playback import FinishedCapture
from tinyprof.live.recording import LiveRecording
from tinyprof.live.snapshot import LiveHeat
from tinyprof.record.recorder import Recording
from tinyprof.wire.frames import Event

CAPTURE = Path(__file__).parents[2] / "vectors/captures/v2.tpcap"


def test_a_recording_that_cannot_be_shown_still_ends_its_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(heat: LiveHeat, seconds: float, *, whole: bool = False) -> None:
        raise ArithmeticError("no such page")

    monkeypatch.setattr(LiveHeat, "snapshot", broken)
    recording = Recording(Totals(), Ending.LEFT)
    posted: list[News] = []
    feed = LiveRecording("title", tmp_path / "it", None, lambda *words: recording)
    feed.start(posted.append)
    feed.join()
    assert [(news.over, news.leave) for news in posted] == [(True, True)]
    assert (feed.recording, type(feed.crash)) == (recording, ArithmeticError)


def test_a_capture_that_cannot_be_shown_still_ends_its_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(heat: LiveHeat, events: Sequence[Event]) -> None:
        raise ArithmeticError("no such page")

    monkeypatch.setattr(LiveHeat, "take", broken)
    posted: queue.SimpleQueue[News] = queue.SimpleQueue()
    FinishedCapture([CAPTURE]).start(posted.put)
    news = posted.get(timeout=60)
    assert news.over
    assert "no such page" in news.log[-1]
