# SPDX-License-Identifier: MIT
"""Panes stand side by side where there is room, and never over each other."""

from __future__ import annotations

import itertools

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tinyprof.tui.app import LiveApp
from tinyprof.tui.arrangement import PANES, places
from tinyprof.tui.board import Board
from tinyprof.tui.panes.file_list import FileList
from tinyprof.tui.panes.heat_map import CellGrid
from tinyprof.tui.panes.what_if import WhatIfPane
from unit.tui.driving import drive

SIZES = [(80, 19), (100, 32), (119, 60), (120, 24), (120, 32), (179, 50), (200, 52), (300, 92)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("shown", PANES)
def test_no_pane_covers_another_or_leaves_the_board(width: int, height: int, shown: str) -> None:
    found = places(width, height, shown)
    assert {"files", shown} <= found.keys()
    for region in found.values():
        assert region.width > 0
        assert region.height > 0
        assert region.right <= width
        assert region.bottom <= height
    for one, other in itertools.combinations(found.values(), 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_from_120_columns_on_every_pane_is_visible(width: int, height: int) -> None:
    found = places(width, height, "log")
    everything = {"files", *PANES}
    assert (found.keys() == everything) if width >= 120 else ("tabs" in found)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (300, 100)])
def test_a_number_shows_a_pane_at_every_size(app: LiveApp, size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[None]) -> None:
        for key, pane in zip("54321", reversed(PANES), strict=True):
            await pilot.press(key)
            await pilot.pause()
            assert app.query_one(f"#{pane}").display
            assert app.query_one(Board).current == pane
        assert app.query_one(Board).is_framed is (size[0] >= 120)

    drive(app, act, size)


def test_the_pane_with_the_keys_is_told_from_the_others(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        top = {name: app.query_one(f"#{name}").styles.border_top[0] for name in ("files", "log")}
        assert top == {"files": "heavy", "log": "solid"}
        await pilot.press("4")
        await pilot.pause()
        top = {name: app.query_one(f"#{name}").styles.border_top[0] for name in ("files", "log")}
        assert top == {"files": "solid", "log": "heavy"}

    drive(app, act, (120, 40))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_the_filter_takes_a_line_of_the_files(app: LiveApp, size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.pause()
        files, before = app.query_one(FileList), app.query_one(FileList).outer_size.height
        await pilot.press("slash", "l")
        await pilot.pause()
        assert app.query_one("#filter", Input).value == "l"
        assert files.outer_size.height == before - 1
        await pilot.press("escape")
        await pilot.pause()
        assert files.outer_size.height == before

    drive(app, act, size)


def test_keys_of_another_pane_act_there(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("4")
        paths = app.query_one(FileList).paths
        await pilot.press("r")
        assert app.query_one(FileList).paths == paths[::-1]
        await pilot.press("t")
        assert "/lib/" in app.query_one(FileList).paths
        await pilot.press("4", "minus", "n")
        assert (app.query_one(CellGrid).zoom, app.query_one(Board).current) == (2, "map")
        await pilot.press("4", "x")
        assert app.query_one(WhatIfPane).kernel.name == "mainline"
        assert app.query_one(Board).current == "whatif"

    drive(app, act)
