# SPDX-License-Identifier: MIT
"""A signal ends the live view: the terminal is given back, the capture is whole, and the exit code
says so.

A terminal that goes away, or takes nothing more, ends nothing by itself.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
import time
from pathlib import Path
from time import monotonic

import pytest

from support.commands import PYTHON
from tinyprof.capture.format import Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import Exit
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello, Status

PATIENCE = 60.0
LEAVES_THE_VIEW, SHOWS_THE_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"


BROKEN_PANE = """
from tinyprof.tui.panes.text_pane import LinePane
def add(self, lines, open_line=""):
    if lines:
        raise RuntimeError("a pane that cannot draw")
LinePane.add = add
"""


class Terminal:
    """A command as the leader of a terminal of its own. `before` is run before it."""

    def __init__(self, *words: str | Path, before: str = "", term: str = "xterm-256color") -> None:
        self.seen = b""
        self.child, self.master = pty.fork()
        if self.child == 0:
            os.environ["TERM"] = term
            termios.tcsetwinsize(0, (24, 100))
            os.execv(PYTHON[0], [*PYTHON[:2], before + PYTHON[2], *map(str, words)])
        self.before = termios.tcgetattr(self.master)

    def until(self, wanted: bytes) -> None:
        deadline = monotonic() + PATIENCE
        while wanted not in self.seen:
            assert monotonic() < deadline, self.seen[-2000:]
            self._read()

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def hang_up(self) -> None:
        os.close(self.master)

    def exit_code(self) -> int:
        """What it ended with, having said all that it had to say."""
        deadline = monotonic() + PATIENCE
        while self._read():
            assert monotonic() < deadline, self.seen[-2000:]
        return self.wait()

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def ending_of(capture: Path) -> Ending | None:
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        assert list(reader.events())
        assert reader.cut_at is None
        return reader.ending


def recording(target: tuple[int, str], hello: Hello, capture: Path, *words: str) -> Terminal:
    terminal = Terminal("record", target[1], "-o", capture, *words)
    os.write(target[0], encode_message(hello, 0))
    terminal.until(b"6.1.192" if not words else b"0 records")
    return terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_recording_that_is_told_to_end_gives_the_terminal_back(
    target: tuple[int, str], hello: Hello, tmp_path: Path, number: int
) -> None:
    capture = tmp_path / "it.tpcap"
    terminal = recording(target, hello, capture)
    os.kill(terminal.child, number)
    assert terminal.exit_code() == Exit.INTERRUPTED
    assert LEAVES_THE_VIEW in terminal.seen
    assert terminal.seen.rindex(SHOWS_THE_CURSOR) > terminal.seen.index(b"6.1.192")
    assert b"next: tinyprof view" in terminal.seen[terminal.seen.rindex(LEAVES_THE_VIEW) :]
    assert ending_of(capture) is Ending.INTERRUPTED


@pytest.mark.parametrize("words", [(), ("--no-tui",)], ids=["view", "line"])
def test_a_recording_whose_terminal_goes_away_leaves_a_whole_capture(
    target: tuple[int, str], hello: Hello, tmp_path: Path, words: tuple[str, ...]
) -> None:
    capture = tmp_path / "it.tpcap"
    terminal = recording(target, hello, capture, *words)
    terminal.hang_up()
    assert terminal.wait() == Exit.INTERRUPTED
    assert ending_of(capture) is Ending.INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_view_that_is_told_to_end_gives_the_terminal_back(capture: Path, number: int) -> None:
    terminal = Terminal("view", capture)
    terminal.until(b"libc.so")
    os.kill(terminal.child, number)
    assert terminal.exit_code() == Exit.INTERRUPTED
    assert LEAVES_THE_VIEW in terminal.seen


def test_a_view_whose_terminal_goes_away_ends(capture: Path) -> None:
    terminal = Terminal("view", capture)
    terminal.until(b"libc.so")
    terminal.hang_up()
    assert terminal.wait() == Exit.INTERRUPTED


@pytest.mark.parametrize("words", [(), ("--no-tui",)], ids=["view", "line"])
def test_a_terminal_that_goes_away_without_a_signal_ends_no_recording(
    target: tuple[int, str], hello: Hello, tmp_path: Path, words: tuple[str, ...]
) -> None:
    capture = tmp_path / "it.tpcap"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        terminal = recording(target, hello, capture, *words)
    finally:
        signal.signal(signal.SIGHUP, before)
    terminal.hang_up()
    keeps_what_comes(capture, target[0], 8)
    used = cpu_seconds(terminal.child)
    time.sleep(1.0)
    assert cpu_seconds(terminal.child) - used < 1.0
    began = monotonic()
    os.kill(terminal.child, signal.SIGTERM)
    assert terminal.wait() == Exit.INTERRUPTED
    assert monotonic() - began < PATIENCE
    assert ending_of(capture) is Ending.INTERRUPTED


def test_a_view_that_fails_ends_no_recording(
    target: tuple[int, str], hello: Hello, tmp_path: Path
) -> None:
    capture = tmp_path / "it.tpcap"
    terminal = Terminal("record", target[1], "-o", capture, before=BROKEN_PANE)
    os.write(target[0], encode_message(hello, 0))
    terminal.until(b"the live view failed")
    assert b"a pane that cannot draw" in terminal.seen
    keeps_what_comes(capture, target[0], 3)
    os.kill(terminal.child, signal.SIGINT)
    assert terminal.exit_code() == Exit.INTERRUPTED
    assert ending_of(capture) is Ending.INTERRUPTED


def keeps_what_comes(capture: Path, line: int, messages: int) -> None:
    """Each message on the line makes the capture grow."""
    size = capture.stat().st_size
    for seq in range(1, messages + 1):
        os.write(line, encode_message(Status(1000 * seq, 0, 0, 0), seq))
        until = monotonic() + PATIENCE
        while capture.stat().st_size == size:
            assert monotonic() < until
            time.sleep(0.05)
        size = capture.stat().st_size


def cpu_seconds(process: int) -> float:
    """How much a process has computed so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("words", [(), ("--no-tui",)], ids=["view", "line"])
def test_a_terminal_that_takes_nothing_more_holds_nothing_up(
    target: tuple[int, str], hello: Hello, tmp_path: Path, words: tuple[str, ...]
) -> None:
    capture = tmp_path / "it.tpcap"
    terminal = recording(target, hello, capture, *words)
    # From here on nobody reads what it draws and prints.
    flood = b"a line of a kernel that prints and prints\r\n" * 10_000
    left = memoryview(b"\0" + flood + b"\0" + encode_message(Status(1000, 0, 0, 0), 1))
    while left:
        left = left[os.write(target[0], left) :]
    until = monotonic() + PATIENCE
    while capture.stat().st_size < len(flood):
        assert monotonic() < until
        time.sleep(0.05)
    began = monotonic()
    os.kill(terminal.child, signal.SIGTERM)
    assert terminal.wait() == Exit.INTERRUPTED
    assert monotonic() - began < PATIENCE
    assert ending_of(capture) is Ending.INTERRUPTED


def test_a_terminal_that_cannot_draw_gets_plain_lines(
    target: tuple[int, str], hello: Hello, tmp_path: Path
) -> None:
    capture = tmp_path / "it.tpcap"
    terminal = Terminal("record", target[1], "-o", capture, term="dumb")
    os.write(target[0], b"\0a line of the target\n\0" + encode_message(hello, 0))
    terminal.until(b"a line of the target")
    os.kill(terminal.child, signal.SIGTERM)
    assert terminal.exit_code() == Exit.INTERRUPTED
    assert b"\x1b" not in terminal.seen
    assert ending_of(capture) is Ending.INTERRUPTED
