# SPDX-License-Identifier: MIT
"""Before an agent is heard the view says what works and what to try; text is seen at once, and
somebody can log in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from tinyprof.live.checklist import LineState
from tinyprof.live.news import News
from tinyprof.live.snapshot import Snapshot
from tinyprof.record.observing import Keystrokes, Typing
from tinyprof.tui.app import LiveApp
from tinyprof.tui.board import Board
from tinyprof.tui.panes.console import ConsolePane, bytes_of
from tinyprof.tui.top.header import StatusHeader
from unit.tui.conftest import Told, write
from unit.tui.driving import drive
from unit.tui.test_screens import SIZES, still

SILENT = LineState("/dev/ttyACM0", 115_200, seconds=12.0)
TEXT = replace(SILENT, received=400, text=390)


def waiting(capture: Path, line: LineState, *console: str, open_line: str = "") -> Told:
    news = News(Snapshot(line=line), console=console, open_line=open_line)
    return Told([news], capture, live=True)


def text_of(app: LiveApp, name: str) -> str:
    widget = app.query_one(f"#{name}")
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


def test_a_silent_port_has_a_checklist_that_stays(news: News, capture: Path) -> None:
    feed = waiting(capture, SILENT)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        for _ in range(3):
            text = text_of(app, "files")
            assert "[x] /dev/ttyACM0 is open at 115200 baud" in text
            assert "[ ] bytes from the target: none in 12 s" in text
            for word in ("cable:", "agent:", "kernel:", "rate:"):
                assert word in text
            feed.post(News(Snapshot(line=SILENT)))
            await pilot.pause()
        assert not app._notifications
        feed.post(replace(news, over=False))
        await pilot.pause()
        assert "/lib/libc.so" in text_of(app, "files")

    drive(app, act, (80, 24))


def test_before_the_first_epoch_there_is_no_verdict_to_give(capture: Path) -> None:
    app = LiveApp(waiting(capture, SILENT), write)

    async def act(pilot: Pilot[None]) -> None:
        assert text_of(app, "whatif").split("\n")[1] == " no verdict yet"

    drive(app, act, (200, 60))


def test_the_footer_has_the_key_that_types_until_an_agent_is_heard(
    news: News, capture: Path
) -> None:
    feed = waiting(capture, TEXT, "login: ")
    app = LiveApp(feed, write)

    def is_shown() -> bool:
        return app.screen.active_bindings["i"].binding.show

    async def act(pilot: Pilot[None]) -> None:
        assert is_shown()
        feed.post(replace(news, over=False))
        await pilot.pause()
        assert not is_shown()

    drive(app, act, (80, 24))


def test_text_before_any_frame_is_in_sight(capture: Path) -> None:
    app = LiveApp(waiting(capture, TEXT, "Starting kernel", open_line="login: "), write)

    async def act(pilot: Pilot[None]) -> None:
        assert "text arrives, but no agent yet" in text_of(app, "status")
        assert app.query_one(Board).current == "console"
        assert text_of(app, "console").startswith("Starting kernel\nlogin:")

    drive(app, act, (80, 24))


def test_a_finished_recording_has_no_checklist(capture: Path) -> None:
    app = LiveApp(Told([News(Snapshot(line=SILENT), over=True)], capture), write)

    async def act(pilot: Pilot[None]) -> None:
        assert "cable" not in text_of(app, "files")

    drive(app, act)


def test_a_lost_port_and_an_end_that_nobody_asked_for_have_a_line_of_their_own(
    news: News, capture: Path
) -> None:
    away = replace(news.snapshot, away=True)
    feed = Told([News(away)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        strip = app.query_one(StatusHeader).render_line(1)
        assert "THE PORT IS AWAY" in strip.text
        feed.post(replace(news, over=True, why="the port closed"))
        await pilot.pause()
        strip = app.query_one(StatusHeader).render_line(1)
        assert "THE RECORDING HAS ENDED: the port closed" in strip.text

    drive(app, act)


def test_keys_go_to_the_target_until_typing_ends(capture: Path) -> None:
    feed = waiting(capture, TEXT, "login: ")
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("i", "r", "q", "1", "enter", "ctrl+c", "tab", "up", "S", "slash")
        await pilot.pause()
        assert app.query_one(ConsolePane).is_typing
        assert "Ctrl-] ends it" in text_of(app, "console")
        assert not app.query_one("#files").display
        app.query_one(ConsolePane).post_message(Paste("a\nb\0"))
        await pilot.pause()
        await pilot.press("ctrl+right_square_bracket", "1")
        await pilot.pause()
        assert app.query_one(Board).current == "map"
        assert app.query_one("#files").display

    drive(app, act)
    assert feed.commands[0] == Typing(True)
    assert feed.commands[-1] == Typing(False)
    typed = b"".join(it.data for it in feed.commands if isinstance(it, Keystrokes))
    assert typed == b"rq1\r\x03\t\x1b[AS/a\rb"
    assert not feed.stopped


def test_a_finished_recording_takes_no_typing(app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("i")
        assert not app.query_one(ConsolePane).is_typing

    drive(app, act)


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("a", "a", b"a"),
        ("ctrl+d", "\x04", b"\x04"),
        ("escape", "\x1b", b"\x1b"),
        ("ctrl+at", "\0", b""),
        ("f1", None, b""),
        ("upper_a", "Ä", "Ä".encode()),
    ],
)
def test_keys_are_the_bytes_of_a_terminal(key: str, character: str | None, data: bytes) -> None:
    assert bytes_of(key, character) == data


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["silent", "text"])
def test_a_line_without_an_agent_looks_as_it_did(
    capture: Path, snap_compare: Callable[..., bool], size: str, state: str
) -> None:
    console = ("U-Boot 2026.01", "Starting kernel ...") if state == "text" else ()
    feed = waiting(capture, TEXT if state == "text" else SILENT, *console)
    app = LiveApp(feed, write)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=still)
