# SPDX-License-Identifier: MIT
"""Profiles and captures, wherever a profile is wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyprof.cli.opening import open_profile
from tinyprof.errors import TinyprofError

RUN = [sys.executable, "-c", "from tinyprof.cli import main; main()"]


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *map(str, words)], capture_output=True, text=True, check=False)


def test_a_profile_and_the_captures_it_is_made_of_report_the_same(
    tmp_path: Path, capture: Path
) -> None:
    assert tinyprof("profile", capture, capture, "-o", tmp_path / "it.tprof").returncode == 0
    of_profile = tinyprof("report", "--json", tmp_path / "it.tprof")
    of_captures = tinyprof("report", "--json", capture, capture)
    assert of_profile.returncode == of_captures.returncode == 0
    assert json.loads(of_profile.stdout) == json.loads(of_captures.stdout)
    assert "/program" in tinyprof("report", capture).stdout


def test_a_capture_cut_short_is_used_and_said_with_exit_3(tmp_path: Path, capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-20])
    run = tinyprof("profile", capture, "-o", tmp_path / "it.tprof")
    assert run.returncode == 3
    assert f"{capture}: cut short or damaged at byte" in run.stderr
    assert open_profile([tmp_path / "it.tprof"]).files


def test_a_profile_and_a_capture_merge(tmp_path: Path, capture: Path) -> None:
    whole, both = tmp_path / "it.tprof", tmp_path / "both.tprof"
    assert tinyprof("profile", capture, "-o", whole).returncode == 0
    assert (
        tinyprof("profile", whole, capture, "--weight", capture, "3", "-o", both).returncode == 0
    )
    (file,) = open_profile([both]).files
    assert {page: (use.any.epochs, use.any.boots) for page, use in file.pages.items()} == {
        0: (4, 2),
        3: (4, 2),
        5: (4, 2),
    }


def test_a_weight_beyond_what_a_profile_holds_is_refused_and_nothing_written(
    tmp_path: Path, capture: Path
) -> None:
    once, again = tmp_path / "once.tprof", tmp_path / "again.tprof"
    assert tinyprof("profile", capture, "--weight", capture, "600", "-o", once).returncode == 0
    run = tinyprof("profile", once, "--weight", once, "2", "-o", again)
    assert (run.returncode, again.exists()) == (1, False)
    assert "once.tprof: a boot would count 1200 times" in run.stderr


def test_what_is_neither_profile_nor_capture_is_refused_by_name(
    tmp_path: Path, capture: Path
) -> None:
    (tmp_path / "it.tprof").write_text("{}")
    with pytest.raises(TinyprofError, match=r"it\.tprof: not a tinyprof profile"):
        open_profile([capture, tmp_path / "it.tprof"])
