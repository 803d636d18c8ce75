# SPDX-License-Identifier: MIT
"""No text of a target or an image reaches the terminal as a control sequence, in any pane or
size."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tinyprof.disk import DiskError
from tinyprof.errors import TinyprofError
from tinyprof.live.news import News
from tinyprof.profile.model import FileUse, NamedRange
from tinyprof.rootfs.contents import Contents, Reader
from tinyprof.rootfs.elf_names import Names
from tinyprof.tui.app import LiveApp
from unit.tui.conftest import Told, write
from unit.tui.driving import press, settled

COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\udc80-\udcff]")


def text_of(app: LiveApp, *keys: str, size: tuple[int, int]) -> str:
    """What stands on the screen."""

    async def run() -> str:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            await settled(pilot)
            return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    return asyncio.run(run())


@pytest.mark.parametrize("size", [(80, 24), (300, 100)])
@pytest.mark.parametrize(
    "keys", [("end",), ("a",), ("3", "home"), ("4",), ("2",), ("t",), ("2", "x")]
)
def test_names_and_console_text_are_spelt_out(
    app: LiveApp, keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    text = text_of(app, *keys, size=size)
    assert not COMMANDS.search(text.replace("\n", ""))
    assert all(len(line) <= size[0] for line in text.splitlines())
    if keys == ("3", "home"):
        assert r"\x1b]0;owned\x07\x1b[2Jlogin: \u202e😀\udcff" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (300, 100)])
def test_every_size_shows_the_files_the_map_and_what_was_lost(
    app: LiveApp, size: tuple[int, int]
) -> None:
    text = text_of(app, size=size)
    for wanted in ("libc.so", "0x000000", "lost: nothing", "█ hot", "touched", "Quit"):
        assert wanted in text


@pytest.mark.parametrize("size", [(80, 24), (300, 100)])
def test_names_of_a_program_and_of_its_sections_are_spelt_out(
    news: News, capture: Path, size: tuple[int, int]
) -> None:
    evil = NamedRange("\x1b]0;owned\x07\u202e\udcff", 0, 1 << 20)

    class Evil(Contents):
        def names(self, file: FileUse) -> Names:
            return Names((evil,), (evil,) * 9)

    app = LiveApp(Told([news], capture), write, contents=Evil(dict))
    text = text_of(app, "1", "n", size=size)
    assert not COMMANDS.search(text.replace("\n", ""))
    assert r"\x1b]0;owned\x07\u202e\udcff" in text


def test_what_a_file_cannot_be_read_for_is_told_and_harmless(news: News, capture: Path) -> None:
    def broken() -> dict[str, Reader]:
        raise TinyprofError("no image: \x1b[2J", "look at it")

    text = text_of(
        LiveApp(Told([news], capture), write, contents=Contents(broken)), "2", "x", size=(120, 40)
    )
    assert not COMMANDS.search(text.replace("\n", ""))
    assert r"no image: \x1b[2J" in text


def test_a_file_that_is_not_written_is_told_and_harmless(news: News, capture: Path) -> None:
    tried = []

    def refused(path: Path, data: bytes) -> None:
        tried.append(path.suffix)
        raise DiskError(f"{path} is a recording", "name another output")

    press(LiveApp(Told([news], capture), refused), "w", "p")
    assert tried == [".plan", ".tprof"]
