# SPDX-License-Identifier: MIT
"""A recording over several files: each complete alone, and all together what one file would have
held."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.silent import Silent
from tinyprof.capture.format import Ending
from tinyprof.capture.parts import Roll
from tinyprof.capture.reader import CaptureReader
from tinyprof.record.session import Request, open_session


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


@pytest.fixture(scope="module")
def unrolled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The profile of the simulated target's story in one file."""
    folder = tmp_path_factory.mktemp("unrolled")
    done = run("record", "sim:", "-o", folder / "all.tpcap", "--speed", "0")
    assert done.returncode == 0, done.stderr
    return profile_of(folder, [folder / "all.tpcap"])


def profile_of(folder: Path, captures: Sequence[Path]) -> str:
    done = run("profile", *captures, "-o", folder / "profile")
    assert done.returncode == 0, done.stderr
    return (folder / "profile").read_text()


@pytest.mark.parametrize(
    ("roll", "speed", "words"), [("17k", "0", ()), ("1s", "4", ()), ("16k", "0", ("--one-way",))]
)
def test_parts_are_each_complete_and_together_what_one_file_would_hold(
    tmp_path: Path, unrolled: str, roll: str, speed: str, words: tuple[str, ...]
) -> None:
    first = tmp_path / "part.tpcap"
    done = run("record", "sim:", "-o", first, "--roll", roll, "--speed", speed, "--json", *words)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    parts = [first, *(tmp_path / f"part-{number}.tpcap" for number in range(1, summary["parts"]))]
    assert sorted(tmp_path.iterdir()) == sorted(parts)
    assert len(parts) > 1
    checks = [json.loads(run("capture", "check", part, "--json").stdout) for part in parts]
    assert [check["ended"] for check in checks] == ["rolled"] * (len(parts) - 1) + ["line_ended"]
    assert all(check["whole"] and check["index"] for check in checks)
    infos = [json.loads(run("capture", "info", part, "--json").stdout) for part in parts]
    assert all(info["lossless"] for info in infos)
    assert sum(info["records"] for info in infos) == summary["records"]
    # In whatever order they are named.
    assert profile_of(tmp_path, parts[::-1]) == unrolled


def test_a_part_without_the_one_before_it_stands_for_itself(tmp_path: Path) -> None:
    first = tmp_path / "part.tpcap"
    run("record", "sim:", "-o", first, "--roll", "1k", "--speed", "0")
    with (tmp_path / "part-2.tpcap").open("rb") as file:
        assert CaptureReader(file).meta.part == 2
    done = run("profile", first, tmp_path / "part-2.tpcap", "-o", tmp_path / "profile")
    assert "in 2 boots" in done.stderr, done.stderr


def test_what_is_said_names_the_parts(tmp_path: Path) -> None:
    done = run(
        "record",
        "sim:",
        "-o",
        tmp_path / "part.tpcap",
        "--roll",
        "17k",
        "--speed",
        "0",
        "--no-tui",
    )
    said = done.stderr.splitlines()
    (totals,) = (line for line in said if " records of " in line and "lost: nothing" in line)
    assert totals.startswith(f"{tmp_path}/part.tpcap to {tmp_path}/part-")
    # One by one, or a pattern where there are many: how many, the reads of the line decide.
    assert f"tinyprof report {tmp_path}/part.tpcap {tmp_path}/part-" in said[-1]
    assert f"tinyprof view {tmp_path}/part.tpcap {tmp_path}/part-" in said[-2]


@pytest.mark.parametrize("part", [1, 3])
def test_a_file_in_the_way_of_a_part_is_found_before_the_start(tmp_path: Path, part: int) -> None:
    other = tmp_path / f"part-{part}.tpcap"
    other.write_text("mine")
    words = ("record", "sim:", "-o", tmp_path / "part.tpcap", "--roll", "1k", "--speed", "0")
    done = run(*words, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"part-{part}.tpcap exists" in done.stderr
    assert other.read_text() == "mine"
    assert not (tmp_path / "part.tpcap").exists()


def test_a_file_that_comes_into_the_way_of_a_part_ends_it_with_everything_before_readable(
    tmp_path: Path,
) -> None:
    request = Request("sim:", tmp_path / "part.tpcap", "0.1.0", roll=Roll(size=1000), speed=0)
    with open_session(request, print) as session:
        session.begin_files(lambda: False)
        (tmp_path / "part-1.tpcap").write_text("mine")
        recording = session.record(Silent())
    assert "part-1.tpcap exists" in str(recording.fault)
    assert session.paths == [tmp_path / "part.tpcap"]
    assert (tmp_path / "part-1.tpcap").read_text() == "mine"
    with (tmp_path / "part.tpcap").open("rb") as file:
        reader = CaptureReader(file)
        assert sum(1 for _ in reader.events()) > 1
    assert (reader.cut_at, reader.ending) == (None, Ending.ROLLED)
