# SPDX-License-Identifier: MIT
"""Checks of other tests are done once for the same inputs, and anew for any other."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.remembered import KEPT_DAYS, SECONDS_A_DAY, forget, passes, remembered


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("support.remembered.ALL", False)
    monkeypatch.setattr("support.remembered._taken", [])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("first")
    return path


def never() -> str:
    raise AssertionError("made again")


def test_the_same_inputs_give_the_kept_text(file: Path) -> None:
    assert remembered(["one"], [file], lambda: "made") == "made"
    assert remembered(["one"], [file], never) == "made"


def test_another_word_or_another_content_is_made_anew(file: Path) -> None:
    remembered(["one"], [file], lambda: "made")
    assert remembered(["two"], [file], lambda: "of another word") == "of another word"
    file.write_text("second")
    assert remembered(["one"], [file], lambda: "of another file") == "of another file"


def test_a_check_that_fails_is_done_again(file: Path) -> None:
    done = []

    def fails() -> None:
        done.append("once more")
        raise AssertionError

    for _ in range(2):
        with pytest.raises(AssertionError):
            passes(["one"], [file], fails)
    assert len(done) == 2


def test_a_test_that_fails_has_its_checks_done_again(file: Path) -> None:
    remembered(["one"], [file], lambda: "made")
    forget()
    assert remembered(["one"], [file], lambda: "made anew") == "made anew"


def test_a_result_that_nobody_asks_for_goes(file: Path, tmp_path: Path) -> None:
    remembered(["one"], [file], lambda: "made")
    (kept,) = (it for it in (tmp_path / "cache/tinyprof/checks").iterdir() if not it.suffix)
    long_ago = time.time() - (KEPT_DAYS + 1) * SECONDS_A_DAY
    os.utime(kept, (long_ago, long_ago))
    # Whoever asks for it keeps it.
    assert remembered(["one"], [file], never) == "made"
    remembered(["two"], [file], lambda: "another")
    assert kept.exists()
    os.utime(kept, (long_ago, long_ago))
    remembered(["three"], [file], lambda: "a third one")
    assert not kept.exists()


def test_make_test_all_does_every_check_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(["one"], [file], lambda: "made")
    monkeypatch.setattr("support.remembered.ALL", True)
    assert remembered(["one"], [file], lambda: "made anew") == "made anew"
