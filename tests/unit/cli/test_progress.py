# SPDX-License-Identifier: MIT
"""The recording on stderr: drawn in place on a terminal, rare lines elsewhere, never a foreign
control."""

from __future__ import annotations

import io
from typing import cast

from tinyprof.cli.progress import Screen, progress_text
from tinyprof.errors import TinyprofError
from tinyprof.heat.losses import Losses
from tinyprof.heat.totals import Totals

TOTALS = Totals(seconds=2, records=500, pages=40, epochs=2, losses=Losses(frames=3))


class Seconds:
    """A clock that stands where it is put."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(clock: Seconds, screen: Screen, second: float) -> None:
    clock.now = second
    screen.progress(lambda: TOTALS)


def test_a_terminal_gets_one_line_in_place_with_rate_pages_epochs_and_loss() -> None:
    out, clock = io.StringIO(), Seconds()
    screen = Screen(out, 100, clock)
    at(clock, screen, 0.1)
    assert out.getvalue() == ""
    at(clock, screen, 0.5)
    line = out.getvalue()
    assert line.startswith("\r")
    assert "\n" not in line
    for fact in ("1000 records/s", "40 pages", "2 epochs", "lost: 3 frames"):
        assert fact in line


def test_the_progress_line_never_wraps() -> None:
    out, clock = io.StringIO(), Seconds()
    at(clock, Screen(out, 40, clock), 1)
    assert len(out.getvalue().removeprefix("\r").removesuffix("\x1b[K")) == 39


def test_elsewhere_a_line_comes_every_ten_seconds() -> None:
    out, clock = io.StringIO(), Seconds()
    screen = Screen(out, None, clock)
    for second in range(25):
        at(clock, screen, second)
    assert out.getvalue().count("\n") == 2
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_what_is_said_clears_the_progress_line_first() -> None:
    out, clock = io.StringIO(), Seconds()
    screen = Screen(out, 100, clock)
    at(clock, screen, 1)
    screen.warning(TinyprofError("the\x1b[2Jthing", "do this"))
    assert out.getvalue().endswith("\r\x1b[Ktinyprof: the\\x1b[2Jthing; do this\n")


def test_console_text_is_shown_a_line_at_a_time_without_controls() -> None:
    out, kept = io.StringIO(), io.BytesIO()
    screen = Screen(out, None, Seconds(), kept)
    for piece in (b"one\ttab\r\ntw", b"o \x9b31m\xe2\x80", b"\xae\n", b"login: \x1b[c"):
        screen.console(piece)
    screen.finish()
    assert out.getvalue() == "one\ttab\ntwo \\udc9b31m\\u202e\nlogin: \\x1b[c\n"
    assert kept.getvalue() == b"one\ttab\r\ntwo \x9b31m\xe2\x80\xae\nlogin: \x1b[c"


def test_a_line_without_end_does_not_grow_memory() -> None:
    out = io.StringIO()
    screen = Screen(out, None, Seconds())
    for _ in range(100):
        screen.console(b"x" * 100)
    assert len(out.getvalue()) > 8_000


def test_console_text_that_cannot_be_kept_is_said_once() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    out = io.StringIO()
    screen = Screen(out, None, Seconds(), cast(io.BytesIO, Full()))
    screen.console(b"a\n")
    screen.console(b"b\n")
    assert out.getvalue().count("No space left") == 1
    assert "b\n" in out.getvalue()


def test_a_prompt_without_an_end_is_seen() -> None:
    out, clock = io.StringIO(), Seconds()
    screen = Screen(out, 100, clock)
    screen.console(b"login: ")
    clock.now = 0.1
    screen.progress(Totals)
    assert "login:" not in out.getvalue()
    clock.now = 0.4
    screen.progress(Totals)
    assert "login: \n" in out.getvalue()


def test_the_line_says_what_arrives_while_no_agent_is_heard() -> None:
    silent = Totals(bytes=0)
    assert "no target heard yet" in progress_text(silent, 0.0)
    assert "text arrives, but no agent yet" in progress_text(silent, 0.0, has_text=True)
    assert "THE PORT IS AWAY" in progress_text(Totals(away=True), 0.0)
