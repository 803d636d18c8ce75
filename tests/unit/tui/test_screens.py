# SPDX-License-Identifier: MIT
"""Every pane as it was last looked at, in three sizes, and without colour.

After a change that was meant: `pytest tests/unit/tui/test_screens.py --snapshot-update`, and look at the
pictures in __snapshots__.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tinyprof.tui.app import LiveApp
from tinyprof.tui.feed import News
from unit.tui.conftest import Told, write

Compare = Callable[..., bool]
PANES = {"map": ("1", "n"), "whatif": ("2", "down", "down"), "console": ("3",), "log": ("4",)}


async def settled(pilot: Pilot[None]) -> None:
    """A cursor that blinks would be another picture every time."""
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("pane", PANES)
def test_a_pane_looks_as_it_did(
    app: LiveApp, snap_compare: Compare, pane: str, size: tuple[int, int]
) -> None:
    assert snap_compare(app, press=PANES[pane], terminal_size=size, run_before=settled)


def test_a_large_screen_has_files_and_map_side_by_side(app: LiveApp, snap_compare: Compare) -> None:
    assert snap_compare(app, press=("a", "n"), terminal_size=(300, 100), run_before=settled)


def test_help_looks_as_it_did(app: LiveApp, snap_compare: Compare) -> None:
    assert snap_compare(app, press=("question_mark",), terminal_size=(80, 24), run_before=settled)


@pytest.mark.parametrize("pane", ["map", "whatif"])
def test_without_colour_everything_can_be_told_apart(
    news: News, capture: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, pane: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = LiveApp(Told([news], capture), write)
    assert snap_compare(app, press=PANES[pane], terminal_size=(80, 24), run_before=settled)
