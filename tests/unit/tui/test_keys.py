# SPDX-License-Identifier: MIT
"""Every key of the live view does what the help says."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from support.commands import PYTHON
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.heat.losses import Losses
from tinyprof.live.news import News
from tinyprof.plan.plan_file import load_plan
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.tprof import dump_profile
from tinyprof.tui.app import LiveApp
from tinyprof.tui.board import Board
from tinyprof.tui.dialogs import HelpScreen
from tinyprof.tui.panes.file_list import FileList
from tinyprof.tui.panes.heat_map import CellGrid
from tinyprof.tui.panes.timeline import TimelinePane
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.top.header import StatusHeader
from tinyprof.wire.frames import HostMark
from unit.tui.conftest import Told, write
from unit.tui.driving import drive, press, settled


def test_files_are_listed_the_hottest_first_and_sorted_by_the_next_column(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        files = app.query_one(FileList)
        assert [path.split("/")[-1] for path in files.paths][:2] == ["libc.so", "busybox"]
        by_hot = files.paths
        await pilot.press("r")
        assert files.paths == by_hot[::-1]
        await pilot.press("s", "s", "s", "s")
        assert files.paths == sorted(files.paths)

    drive(app, act)


def test_the_cursor_chooses_the_file_that_the_map_shows(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("down")
        await pilot.pause()
        chosen = app.query_one(FileList).chosen
        assert chosen
        assert chosen.path == "/bin/busybox"
        assert len(app.query_one(CellGrid)._cells) == 40
        await pilot.press("end")
        await pilot.pause()
        assert app.query_one(FileList).chosen != chosen

    drive(app, act)


def test_a_filter_lists_as_it_is_typed_and_escape_lists_all(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        files = app.query_one(FileList)
        everything = files.paths
        await pilot.press("slash", "L", "i", "b", "c")
        await pilot.pause()
        assert files.paths == ["/lib/libc.so"]
        await pilot.press("enter")
        assert files.has_focus
        assert files.paths == ["/lib/libc.so"]
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert files.paths == everything

    drive(app, act)


@pytest.mark.parametrize(
    ("key", "pane"),
    [("1", "map"), ("2", "whatif"), ("3", "console"), ("4", "log"), ("5", "timeline")],
)
def test_a_number_shows_a_pane_and_gives_it_the_keys(app: LiveApp, key: str, pane: str) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("2", key)
        switcher = app.query_one(Board)
        assert switcher.current == pane
        assert app.focused
        assert pane in (app.focused.id, app.focused.parent.id if app.focused.parent else None)

    drive(app, act)


def test_the_map_moves_zooms_and_finds_hot_runs(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        grid = app.query_one(CellGrid)
        await pilot.press("1", "right", "right", "down", "left", "up")
        assert grid.cursor == 1
        await pilot.press("n")
        assert grid.cursor == 10
        await pilot.press("minus", "minus")
        assert (grid.zoom, len(grid._cells)) == (4, 23)
        await pilot.press("right")
        assert grid.cursor == 12
        await pilot.press("plus", "end")
        assert (grid.zoom, grid.cursor) == (2, 89)

    drive(app, act)


def test_the_whole_image_is_one_map_that_names_files(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("a", "home", *["right"] * 45)
        await pilot.pause()
        assert len(app.query_one(CellGrid)._cells) == 40 + 90 + 6 + 3
        caption = [app.query_one("#caption").render_line(y).text for y in (1, 2)]
        assert "page 5, offset 0x5000: cold" in caption[0]
        assert "/lib/libc.so" in caption[1]
        await pilot.press("a")
        await pilot.pause()
        assert len(app.query_one(CellGrid)._cells) == 90

    drive(app, act)


def test_the_budget_moves_and_never_leaves_the_curve(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        pane = app.query_one(WhatIfPane)
        await pilot.press("2")
        everything = pane.budget
        assert everything > 0
        await pilot.press("right", "up", "end")
        assert pane.budget == everything
        await pilot.press("left")
        assert pane.budget == everything * 99 // 100
        await pilot.press("down", "home", "left", "down")
        assert pane.budget == 0

    drive(app, act)


def test_the_story_ends_in_an_image_with_the_chosen_pages_in_place(
    app: LiveApp, capture: Path, rootfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    press(app, "slash", "l", "i", "b", "enter", "2", "down", "down", "left", "w", "p")
    pages = load_plan(capture.with_suffix(".plan").read_text())
    chosen = sum(map(len, pages.values()))
    assert 0 < chosen < 88
    words = ["build", rootfs, tmp_path / "image", "--plan", capture.with_suffix(".plan")]
    assert (
        subprocess.run([*PYTHON, *map(str, words)], check=False, capture_output=True).returncode
        == 0
    )
    image = read_image((tmp_path / "image").read_bytes())
    in_place = {
        block.offset for entry in image.entries for block in image.blocks(entry) if block.in_place
    }
    assert len(in_place) == chosen


def test_the_profile_that_is_written_is_that_of_the_capture(app: LiveApp, capture: Path) -> None:
    press(app, "p")
    with capture.open("rb") as file:
        wanted = dump_profile(make_profile([CaptureReader(file)]))
    assert capture.with_suffix(".tprof").read_text() == wanted


def test_a_file_that_was_there_before_is_left_alone(app: LiveApp, capture: Path) -> None:
    capture.with_suffix(".tprof").write_text("mine")
    press(app, "p")
    assert capture.with_suffix(".tprof").read_text() == "mine"


def test_a_held_view_stays_until_it_is_let_go(news: News, capture: Path) -> None:
    feed = Told([replace(news, over=False)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        def how() -> str:
            return app.query_one(StatusHeader).render_line(1).text

        await pilot.press("space")
        feed.post(News(replace(news.snapshot, records=123_456)))
        await pilot.pause()
        assert "123,456" not in how()
        await pilot.press("space")
        await pilot.pause()
        assert "123,456" in how()

    drive(app, act)


def test_a_mark_reaches_the_recording_by_its_name(news: News, capture: Path) -> None:
    feed = Told([replace(news, over=False)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("m", *"steady", "enter")
        await pilot.press("m", *"no", "escape")
        await pilot.pause()

    drive(app, act)
    assert feed.commands == [HostMark("steady")]


def test_help_opens_and_closes(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)

    drive(app, act)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quit_asks_the_recording_to_end_and_leaves_when_it_has(
    news: News, capture: Path, key: str
) -> None:
    feed = Told([replace(news, over=False)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert feed.stopped
        assert app.is_running
        feed.post(news)
        await pilot.pause()

    drive(app, act)
    assert not app.is_running


def test_the_tree_sums_its_directories_and_closes_them(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        files = app.query_one(FileList)
        await pilot.press("t", "home")
        assert [path for path in files.paths if not path.startswith("/odd")] == [
            "/lib/",
            "/lib/libc.so",
            "/bin/",
            "/bin/busybox",
            "/usr/bin/",
            "/usr/bin/once",
        ]
        chosen = files.chosen
        assert chosen
        assert (chosen.path, chosen.used, chosen.pages) == ("/lib/", 60, 90)
        await pilot.press("enter")
        assert "/lib/libc.so" not in files.paths
        await pilot.press("enter", "t")
        assert len(files.paths) == 4

    drive(app, act)


def test_the_past_is_shown_epoch_by_epoch_while_the_recording_goes_on(
    news: News, capture: Path
) -> None:
    feed = Told([replace(news, over=False)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        def header() -> str:
            return "".join(app.query_one(StatusHeader).render_line(y).text for y in range(3))

        await pilot.press("left_square_bracket", "left_square_bracket")
        await settled(pilot)
        assert "as of epoch 6" in header()
        assert "epoch 6 ·" in header()
        feed.post(replace(news, over=False))
        await pilot.pause()
        assert "epoch 6 ·" in header()
        await pilot.press("left_curly_bracket")
        await settled(pilot)
        assert "epoch 5 ·" in header()
        await pilot.press("left_curly_bracket")
        await settled(pilot)
        assert "epoch 1 ·" in header()
        assert "/usr/bin/once" in app.query_one(FileList).paths
        await pilot.press("backspace")
        await pilot.pause()
        assert "as of" not in header()
        assert "epoch 8 ·" in header()

    drive(app, act)


def test_a_loss_is_named_in_the_header_at_once(news: News, capture: Path) -> None:
    lossy = replace(news.snapshot, losses=Losses(frames=2, records=7))
    app = LiveApp(Told([News(lossy)], capture, live=True), write)

    async def act(pilot: Pilot[None]) -> None:
        line = app.query_one(StatusHeader).render_line(2)
        assert "LOST 2 frames, 7 records" in line.text
        (segment,) = (segment for segment in line if "LOST" in segment.text)
        assert segment.style
        assert segment.style.bold
        assert segment.style.bgcolor
        assert segment.style.bgcolor.triplet
        assert segment.style.bgcolor.triplet.red > 2 * segment.style.bgcolor.triplet.green

    drive(app, act)


def test_a_view_of_a_recording_that_is_over_leaves_when_it_is_told(
    news: News, capture: Path
) -> None:
    told = [False]
    app = LiveApp(Told([news], capture, live=True), write, lambda: told[0])

    async def act(pilot: Pilot[None]) -> None:
        app._leave_if_told()
        await pilot.pause()
        assert app.is_running
        told[0] = True
        app._leave_if_told()
        await pilot.pause()

    drive(app, act)
    assert not app.is_running


def test_the_mouse_chooses_files_panes_pages_and_budgets(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        files = app.query_one(FileList)
        await pilot.click(files, offset=(5, 2))
        assert files.chosen
        assert files.chosen.path == "/bin/busybox"
        await pilot.click(files, offset=(95, 0))
        assert files.paths == sorted(files.paths)
        await pilot.click("#cells", offset=(15, 0))
        assert app.query_one(CellGrid).cursor == 5
        await pilot.click("#tabs", offset=(16, 0))
        pane = app.query_one(WhatIfPane)
        assert app.query_one(Board).current == "whatif"
        everything = pane.budget
        await pilot.click(pane, offset=(50, 8))
        assert 0 < pane.budget < everything
        await pilot.click(pane, offset=(10, 0))
        assert pane.kernel.name == "mainline"

    drive(app, act)


def test_a_key_shows_classes_over_the_heat_in_the_map_and_in_the_list(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        grid = app.query_one(CellGrid)
        before = [segment.style for segment in grid.render_line(0)]
        await pilot.press("c")
        await pilot.pause()
        assert grid.look.classes
        assert [segment.style for segment in grid.render_line(0)] != before
        await pilot.press("c")
        await pilot.pause()
        assert [segment.style for segment in grid.render_line(0)] == before

    drive(app, act)


def test_a_key_shows_one_kind_of_use_after_the_other(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        caption = app.query_one("#caption")
        shown = []
        for _ in range(5):
            await pilot.press("v")
            await pilot.pause()
            cells = app.query_one(CellGrid).render_line(0).text.split()[1]
            shown.append(("█" in cells, caption.render_line(0).text.partition("hot")[2].strip()))
        kinds = [words.partition(" · ")[0] for _, words in shown]
        assert kinds[:4] == [
            "only executed",
            "only read in a mapping",
            "only written",
            "only read()",
        ]
        assert [has_heat for has_heat, _ in shown] == [True, False, False, False, True]

    drive(app, act)


def test_the_map_of_all_files_names_them_where_they_begin(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await pilot.pause()
        grid = app.query_one(CellGrid)
        assert "busybox, libc.so" in grid.render_line(0).text
        lined = [
            (segment.text, segment.style.underline)
            for segment in grid.render_line(0)
            if segment.style and "█" in segment.text
        ]
        assert {underline for _, underline in lined} == {None, True}

    drive(app, act)


def test_the_timeline_scrubs_through_the_recording(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        pane = app.query_one(TimelinePane)
        await pilot.press("5", "left", "left")
        await settled(pilot)
        assert (app.past.epoch, pane.cursor) == (6, 5)
        assert "epoch 6: 88 pages" in pane.render_line(0).text
        await pilot.press("home")
        await settled(pilot)
        assert "88 new" in pane.render_line(0).text
        await pilot.press("end")
        await pilot.pause()
        assert app.past.epoch is None
        await pilot.click(pane, offset=(8, 3))
        assert app.past.epoch == 1

    drive(app, act)
