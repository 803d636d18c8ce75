# SPDX-License-Identifier: MIT
"""Every pane looks as it did, in four sizes, with and without colours.

After an intended change run `pytest tests/unit/tui/test_screens.py --snapshot-update`, and look at
the pictures in __snapshots__.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tinyprof.heat.losses import Losses
from tinyprof.live.news import News
from tinyprof.tui.app import LiveApp
from unit.tui.conftest import Told, write
from unit.tui.driving import settled

Compare = Callable[..., bool]
PANES = {
    "map": ("1", "n"),
    "whatif": ("2", "down", "down"),
    "console": ("3",),
    "log": ("4",),
    "timeline": ("5", "left"),
}
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60), "300x100": (300, 100)}
MOMENTS = {
    "tree": ("t", "down"),
    "filter": ("slash", "l", "i", "b"),
    "image": ("a", "n"),
    "classes": ("c", "minus"),
    "kind": ("v", "v"),
    "kernel": ("2", "x", "x", "down"),
    "help": ("question_mark",),
    "mark": ("m",),
    "epoch": ("E",),
    "past": ("left_square_bracket", "left_square_bracket"),
}


async def still(pilot: Pilot[None]) -> None:
    """A cursor that blinks would be another picture every time."""
    await settled(pilot)
    for field in pilot.app.screen.query("Input"):
        field.cursor_blink = False  # type: ignore[attr-defined]
    await pilot.pause()


@pytest.fixture(params=["colour", "no colour"])
def colours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", PANES)
def test_a_pane_looks_as_it_did(
    news: News, capture: Path, snap_compare: Compare, pane: str, size: str
) -> None:
    app = LiveApp(Told([news], capture), write)
    assert snap_compare(app, press=PANES[pane], terminal_size=SIZES[size], run_before=still)


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_looks_as_it_did(live_app: LiveApp, snap_compare: Compare, moment: str) -> None:
    async def act(pilot: Pilot[None]) -> None:
        for key in MOMENTS[moment]:
            await pilot.press(key)
            await still(pilot)

    assert snap_compare(live_app, terminal_size=(80, 24), run_before=act)


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize("size", SIZES)
def test_a_line_in_trouble_looks_as_it_did(
    news: News, capture: Path, snap_compare: Compare, size: str
) -> None:
    counts = {"gaps": 2, "duplicates": 14, "waited_ms": 310, "corrupt_repeated": 3}
    losses = Losses(frames=2, records=7)
    troubled = replace(
        news.snapshot, losses=losses, counts_by_cause=counts, away=True, unfinished=1
    )
    app = LiveApp(Told([News(troubled)], capture, live=True), write)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=still)
