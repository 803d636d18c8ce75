# SPDX-License-Identifier: MIT
"""The view looks up names, and curves for other kernels, in the recorded files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tinyprof.cli.opening import open_profile
from tinyprof.live.news import News
from tinyprof.live.playback import FinishedCapture, snapshot_at
from tinyprof.plan.plan_file import load_plan
from tinyprof.rootfs.contents import contents_of_tree
from tinyprof.tui.app import LiveApp
from tinyprof.tui.behind.lookups import CurveArrived, NamesArrived
from tinyprof.tui.panes.heat_map import HeatMap
from tinyprof.tui.panes.what_if import WhatIfPane
from unit.tui.conftest import Told, all_news, write
from unit.tui.driving import drive, settled


def caption_of(app: LiveApp) -> str:
    return app.query_one("#caption").render_line(2).text


@pytest.fixture
def program_app(tmp_path: Path, capture_of_program: Path) -> LiveApp:
    feed = FinishedCapture([capture_of_program])
    return LiveApp(feed, write, contents=contents_of_tree(tmp_path / "programs"))


async def read_to_the_end(app: LiveApp, pilot: Pilot[None]) -> None:
    while not app._over:
        await pilot.pause(0.01)
    await settled(pilot)


def test_the_cell_under_the_cursor_has_section_and_function_names(program_app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await read_to_the_end(program_app, pilot)
        await pilot.press("1", "n")
        await read_to_the_end(program_app, pilot)
        assert "/bin/it .text" in caption_of(program_app)

    drive(program_app, act)


def test_without_the_files_the_caption_says_how_to_get_names(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("1")
        await pilot.pause()
        assert "--image IMAGE or --rootfs DIR" in caption_of(app)

    drive(app, act)


def test_a_file_of_another_version_has_no_names(
    app: LiveApp, rootfs: Path, news: News, capture: Path
) -> None:
    (rootfs / "lib/libc.so").write_bytes(b"another")
    changed = LiveApp(Told([news], capture), write, contents=contents_of_tree(rootfs))

    async def act(pilot: Pilot[None]) -> None:
        await read_to_the_end(changed, pilot)
        assert "another version was recorded" in caption_of(changed)

    drive(changed, act)


def test_each_kernel_has_its_curve_and_its_plan(
    program_app: LiveApp, capture_of_program: Path
) -> None:
    pages: dict[str, int] = {}

    async def act(pilot: Pilot[None]) -> None:
        await read_to_the_end(program_app, pilot)
        pane = program_app.query_one(WhatIfPane)
        await pilot.press("2")
        for _ in range(4):
            await read_to_the_end(program_app, pilot)
            assert pane.curve
            pages[pane.kernel.name] = pane.curve.everything.pages
            await pilot.press("w")
            plan = load_plan(capture_of_program.with_suffix(".plan").read_text())
            assert sum(map(len, plan.values())) == pages[pane.kernel.name]
            await pilot.press("x")
        assert pane.kernel.name == "patched"

    drive(program_app, act)
    # Of the program's code only a page in the middle is hot.
    assert pages == {"patched": 1, "mainline": 3, "split": 3, "nommu": 6}


def test_without_the_files_a_stock_kernel_has_no_curve_and_no_plan(
    app: LiveApp, capture: Path
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("2", "x")
        await pilot.pause()
        text = "".join(app.query_one(WhatIfPane).render_line(y).text for y in range(3))
        assert "[mainline]" in text
        assert "lacks the programs' segments: give --image" in text
        await pilot.press("w")

    drive(app, act)
    assert not capture.with_suffix(".plan").exists()


def test_a_curve_is_that_of_the_newest_snapshot_however_often_it_was_asked_for(
    capture_of_program: Path, tmp_path: Path
) -> None:
    newest = all_news(FinishedCapture([capture_of_program]))[-1]
    early = snapshot_at([capture_of_program], None, 1, lambda: True)
    assert early
    feed = Told([News(early)], capture_of_program, live=True)
    app = LiveApp(feed, write, contents=contents_of_tree(tmp_path / "programs"))

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("2", "x")
        pane = app.query_one(WhatIfPane)
        for _ in range(3):
            feed.post(replace(newest, over=False))
        while not (
            app.lookups.last_curve and app.lookups.last_curve.profile is newest.snapshot.profile
        ):
            await pilot.pause(0.01)
        await pilot.pause()
        assert pane.curve is app.lookups.last_curve.curve
        # Round all kernels and back: the curve that is known is there at once.
        await pilot.press("x", "x", "x", "x")
        while not (
            pane.curve and app.lookups.last_curve and app.lookups.last_curve.kernel is pane.kernel
        ):
            await pilot.pause(0.01)
        assert pane.kernel.name == "mainline"

    drive(app, act)


def test_the_plan_of_a_curve_that_is_being_reckoned_is_written_when_it_is_there(
    program_app: LiveApp, capture_of_program: Path
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await read_to_the_end(program_app, pilot)
        await pilot.press("2", "x")
        message = program_app.lookups._known.pop("mainline")
        await pilot.press("w")
        assert not capture_of_program.with_suffix(".plan").exists()
        program_app.post_message(message)
        await pilot.pause()
        await pilot.pause()
        assert capture_of_program.with_suffix(".plan").exists()

    drive(program_app, act)


def test_the_verdicts_of_all_kernels_stand_side_by_side(program_app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await read_to_the_end(program_app, pilot)
        lines = [program_app.verdict.render_line(y).text for y in range(4)]
        assert lines[0].split()[-4:] == ["patched", "mainline", "split", "nommu"]
        assert lines[1].count("4 KiB, 100 %") == 4

    drive(program_app, act)


def test_without_the_files_the_verdict_says_how_to_reckon_the_others(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        text = "".join(app.verdict.render_line(y).text for y in range(4))
        assert "mainline, split, nommu: give --image IMAGE or --rootfs DIR" in text

    drive(app, act)


def test_answers_for_a_view_that_is_being_closed_go_nowhere(
    program_app: LiveApp, capture_of_program: Path
) -> None:
    async def close_early(pilot: Pilot[None]) -> None:
        await pilot.pause()
        app, file = program_app, open_profile([capture_of_program]).files[0]
        pane = app.query_one(WhatIfPane)
        await app.query(HeatMap).remove()
        for message in (
            HeatMap.NamesWanted(file),
            NamesArrived(file, "no names"),
            CurveArrived(pane.kernel, None, "no curve"),
        ):
            app.post_message(message)
        await pilot.pause()
        assert app.is_running

    drive(program_app, close_early)
