# SPDX-License-Identifier: MIT
"""A slow capture is read again for the past, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tinyprof.live.news import News
from tinyprof.live.playback import snapshot_at
from tinyprof.live.snapshot import Snapshot
from tinyprof.live.timeline import TimeColumn
from tinyprof.plan.what_if import Step, WhatIf
from tinyprof.profile.temperature import Temperature
from tinyprof.tui.app import LiveApp, NewsArrived
from tinyprof.tui.panes.timeline import stack
from unit.tui.conftest import Told, write
from unit.tui.driving import drive

PATIENCE = 20.0
"""Seconds after which a reader that nobody stops gives up; nothing depends on how long it really
takes."""


class Long(Told):
    """A capture so long that its end never comes; `read` are the epochs that were looked for."""

    def __init__(self, news: list[News], capture: Path) -> None:
        super().__init__(news, capture)
        self.read: list[int] = []
        self.given_up: list[int] = []

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        self.read.append(epochs)
        tick = threading.Event()
        for _ in range(int(PATIENCE * 100)):
            if not wanted():
                self.given_up.append(epochs)
                return None
            tick.wait(0.01)
        self.given_up.append(-1)
        return None


@pytest.fixture
def long(news: News, capture: Path) -> Long:
    return Long([news], capture)


def test_a_key_that_asks_for_another_epoch_ends_the_reading_for_the_one_before(long: Long) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("left_square_bracket")
        while not long.read:
            await pilot.pause(0.01)
        await pilot.press("left_square_bracket")
        while not long.given_up:
            await pilot.pause(0.01)
        assert long.given_up == [7]

    drive(LiveApp(long, write), act)
    assert long.given_up == [7, 6]


def test_a_return_to_the_present_ends_the_reading(long: Long) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("left_square_bracket")
        while not long.read:
            await pilot.pause(0.01)
        await pilot.press("backspace")
        while not long.given_up:
            await pilot.pause(0.01)

    drive(LiveApp(long, write), act)
    assert long.given_up == [7]


def test_who_no_longer_wants_an_epoch_gets_none_and_at_once(capture: Path) -> None:
    answers = iter([True, False])
    assert snapshot_at([capture], None, 8, lambda: next(answers)) is None
    assert not list(answers)


def label_of(app: LiveApp) -> str:
    """The words of the verdict for the moment that its figures are of."""
    return app.verdict.render_line(0).text[:19].strip()


def test_the_verdict_names_the_moment_that_is_shown(news: News, capture: Path) -> None:
    app = LiveApp(Told([replace(news, over=False)], capture, live=True), write)

    async def act(pilot: Pilot[None]) -> None:
        assert label_of(app) == "if you stop now"
        await pilot.press("left_square_bracket")
        assert label_of(app) == "as of epoch 7"
        await pilot.press("backspace")
        assert label_of(app) == "if you stop now"
        app.post_message(NewsArrived(news))
        await pilot.pause()
        assert label_of(app) == "whole recording"

    drive(app, act)


def test_a_finished_recording_is_not_asked_to_stop(news: News, capture: Path) -> None:
    app = LiveApp(Told([replace(news, over=False)], capture), write)

    async def act(pilot: Pilot[None]) -> None:
        assert label_of(app) == "read so far"
        app.post_message(NewsArrived(news))
        await pilot.pause()
        assert label_of(app) == "whole recording"

    drive(app, act)


def test_the_verdict_in_one_line_has_whole_figures_and_fits(news: News, capture: Path) -> None:
    curve = WhatIf([Step(2_500_000, 9_000_000, "/a", (0,), 1, 0)])
    snapshot = replace(news.snapshot, curve=curve, image_size=9_999_360)
    app = LiveApp(Told([News(snapshot)], capture, live=True), write)

    async def act(pilot: Pilot[None]) -> None:
        line = app.verdict.render_line(0).text.rstrip()
        expected = "RAM −8,789 KiB · flash +2,441 KiB, 25 % · 90 % for +2,441 KiB"
        assert line == f" stop now, patched: {expected}"
        await pilot.resize_terminal(78, 24)
        assert app.verdict.render_line(0).text.rstrip() == f" patched: {expected}"

    drive(app, act, (81, 24))


def test_the_header_says_which_share_of_the_used_pages_is_hot(news: News, capture: Path) -> None:
    app = LiveApp(Told([news], capture), write)
    hot, warm, once, cold = news.snapshot.counts
    used = hot + warm + once

    async def act(pilot: Pilot[None]) -> None:
        lines = [app.header.render_line(y).text for y in range(app.header.size.height)]
        share = round(100 * hot / used)
        words = f" used {used} of {used + cold} · █ {hot} hot, {share} % of them · "
        assert any(line.startswith(words) for line in lines)

    drive(app, act, (80, 24))


@pytest.mark.parametrize(
    ("counts", "cells"),
    [
        ((1000, 0, 0), "HHHHHHHH"),
        ((500, 250, 250), "HHHHWWOO"),
        ((998, 1, 1), "HHHHHHWO"),
        ((1, 0, 999), "HOOOOOOO"),
        ((1, 1, 1), "HWO"),
        ((0, 0, 1), "O"),
        ((0, 0, 0), ""),
    ],
)
def test_every_class_of_an_epoch_has_a_cell_of_the_timeline(
    counts: tuple[int, int, int], cells: str
) -> None:
    letters = {"H": Temperature.HOT, "W": Temperature.WARM, "O": Temperature.ONCE}
    column = TimeColumn(1, *counts, fresh=0, lost=0, boot=1)
    assert list(stack(column, 1000, 8)) == [letters[it] for it in cells]


def test_a_timeline_of_one_line_shows_the_hottest_class() -> None:
    column = TimeColumn(1, 1, 1, 1, fresh=0, lost=0, boot=1)
    assert list(stack(column, 3, 1)) == [Temperature.HOT]
