# SPDX-License-Identifier: MIT
"""The progress of long work: on a terminal only, after a second, and with the time left."""

from __future__ import annotations

import io
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from tinyprof.cli.bar import Bar, ReadingBar, left_text


class Terminal(io.StringIO):
    """Text that goes to a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal()
    monkeypatch.setattr("sys.stderr", found)
    return found


def test_nothing_is_drawn_for_work_of_less_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    bar = Bar("building", lambda: 5.0)
    for done in range(10):
        bar(done, 10)
    bar.close()
    assert screen.getvalue() == ""


def test_the_time_left_is_told_and_the_line_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    clock = chain([0.0], repeat(10.0))
    bar = Bar("building", lambda: next(clock))
    bar(25, 100)
    assert "building [" in screen.getvalue()
    assert "25 %, 31 s left" in screen.getvalue()
    bar.close()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_nothing_is_drawn_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    clock = count(0.0, 10.0)
    bar = Bar("building", lambda: next(clock))
    bar(1, 2)
    bar.close()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, ", 1 s left"), (98.5, ", 99 s left"), (170.0, ", 3 min left")]
)
def test_times_are_rounded_up(seconds: float, said: str) -> None:
    assert left_text(seconds) == said


def test_files_are_counted_by_the_bytes_that_are_read(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    class Told(ReadingBar):
        def __call__(self, done: int, total: int) -> None:
            told.append((done, total))

    (tmp_path / "one").write_bytes(bytes(100))
    (tmp_path / "two").write_bytes(bytes(50))
    bar = Told([tmp_path / "one", tmp_path / "two"])
    for name in ("one", "two"):
        with bar.opened(tmp_path / name) as file:
            while file.read(40):
                pass
    assert told[-1] == (150, 150)
    assert told[0] == (40, 150)
