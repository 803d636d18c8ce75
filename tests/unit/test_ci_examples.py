# SPDX-License-Identifier: MIT
"""The examples for CI: the YAML is YAML, each command in them is one that the program takes, and
the scripts do what they say."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from tinyprof.cli import cli
from tinyprof.profile.model import LOSSES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/ci"
YAML_FILES = sorted(path for path in EXAMPLES.rglob("*.yml"))
FILES = [*YAML_FILES, EXAMPLES / "size.mk"]
TINYPROF = f"{sys.executable} -m tinyprof"
NOISE = random.Random(20261128).randbytes(99_999)
BOARD = """#!/bin/sh
# Stands for the board: "rootfs DIR" makes a tree, "run IMAGE" prints the report of a workload.
if [ "$1" = rootfs ]; then mkdir -p "$2/bin" && echo reference > "$2/bin/busybox"; exit; fi
printf 'report Cached %s\\r\\nreport Shmem 76\\r\\nreport pgmajfault 3\\r\\n' "$CACHED"
printf 'report uptime 6.49\\r\\nreport workload %s\\r\\n' "$WORKLOAD"
"""


def commands_in(text: str) -> list[list[str]]:
    """The words of each call of the program, as a shell sees them."""
    joined = re.sub(r"\\\n\s*", " ", text.replace("$(TINYPROF)", "tinyprof"))
    joined = re.sub(r"\$[({][^)}]*[)}]|\$<|\$@", "FILE", joined)
    found = re.findall(r"^[\s-]*(?:run: )?tinyprof (.*?)(?: > \S+)?$", joined, re.MULTILINE)
    return [shlex.split(words.replace("FILE FILE FILE", "FILE FILE")) for words in found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_program_takes_each_command_of_an_example(path: Path) -> None:
    commands = commands_in(path.read_text())
    assert commands or path.name == "comment.yml"
    for words in commands:
        command: click.Command = cli
        context = click.Context(cli, **cli.context_settings)
        while isinstance(command, click.Group):
            name, *words = words  # noqa: PLW2901
            found = command.get_command(context, name)
            assert found, name
            command = found
        _, rest, _ = command.make_parser(context).parse_args(list(words))
        assert [word for word in rest if word.startswith("-")] == []


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_the_yaml_can_be_read(path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is one of the packages for development")
    fields: dict[Any, Any] = yaml.safe_load(path.read_text())
    # YAML 1.1 takes the word `on` for true.
    if "github" in path.parts:
        assert {True, "jobs", "permissions"} <= fields.keys()
        steps = [step for job in fields["jobs"].values() for step in job["steps"]]
        assert all(("uses" in step) != ("run" in step) for step in steps)
    else:
        assert fields["size"]["script"]


def test_only_the_workflow_that_runs_no_foreign_code_may_write() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is one of the packages for development")
    folder = EXAMPLES / "github"
    size, comment = (
        yaml.safe_load((folder / name).read_text()) for name in ("size.yml", "comment.yml")
    )
    assert size["permissions"] == {"contents": "read"}
    assert comment["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert comment[True] == {"workflow_run": {"workflows": [size["name"]], "types": ["completed"]}}
    (job,) = comment["jobs"].values()
    assert all("run" not in step for step in job["steps"])
    assert all("checkout" not in step["uses"] for step in job["steps"])
    report = [step for step in size["jobs"]["size"]["steps"] if "upload" in step.get("uses", "")]
    assert report[0]["with"]["name"] == job["steps"][0]["with"]["name"]


def test_make_compares_a_change_with_the_baseline(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    content = bytes(range(256)) * 64
    (tmp_path / "rootfs/file").write_bytes(content)
    # A profile without a used page in the images could not be held to a limit of the page cache.
    fsid, use = "0000000a/1/2/3", {"x": [1, 1, 1, 1, 1, 1, 1]}
    run = {"image": fsid, "kernel": "6.1", "epochs": 1, "weight": 1}
    run |= {"lost": dict.fromkeys(LOSSES, 0), "phases": [["", 1, 1, 1, True]]}
    file = {"path": "/file", "size": len(content), "images": [fsid], "pages": [[0, "", use]]}
    file["sha256"] = hashlib.sha256(content).hexdigest()
    profile = {"format": 2, "unknown_pages": 0, "runs": [run], "files": [file]}
    (tmp_path / "boot.tprof").write_text(json.dumps(profile))

    def make(target: str) -> int:
        words = ["make", "-sf", str(EXAMPLES / "size.mk"), target, f"TINYPROF={TINYPROF}"]
        return subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode

    assert make("check") != 0, "without a baseline there is no report"
    assert (make("baseline"), make("check")) == (0, 0)
    (tmp_path / "rootfs/noise").write_bytes(NOISE)
    assert make("check") != 0


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "board"
    path.write_text(BOARD)
    path.chmod(0o755)
    return path


def kit(
    folder: Path, board: Path, *words: str, cached: int = 500, workload: str = "done"
) -> subprocess.CompletedProcess[str]:
    script = (sys.executable, str(EXAMPLES / "starter-kit"), str(folder))
    command = [*script, "--tinyprof", TINYPROF, "--board", str(board), *words]
    environment = {**os.environ, "CACHED": str(cached), "WORKLOAD": workload}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, board: Path) -> Path:
    """The folder of a first run."""
    folder = tmp_path_factory.mktemp("first") / "kit"
    assert kit(folder, board).returncode == 0
    return folder


def test_the_starter_kit_runs_the_matrix_and_keeps_its_history(
    tmp_path: Path, board: Path
) -> None:
    other = tmp_path / "busybox"
    other.write_bytes(b"another")
    words = ("--kernels", "6.1", "6.12", "--busybox", "debian", f"1.37={other}")
    run = kit(tmp_path / "kit", board, *words)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("workload done") == run.stdout.count("first run of this pair") == 4
    run = kit(tmp_path / "kit", board, *words, cached=510)
    assert run.returncode == 0
    assert run.stdout.count("since the last run +0 bytes, +10 KiB") == 4
    head, *rows = (tmp_path / "kit/history.csv").read_text().splitlines()
    assert head.startswith("when,commit,kernel,busybox,image_bytes,page_cache_kib")
    assert len(rows) == 8
    assert {tuple(row.split(",")[2:4]) for row in rows} == {
        (kernel, name) for kernel in ("6.1", "6.12") for name in ("debian", "1.37")
    }
    drawn = ElementTree.parse(tmp_path / "kit/history.svg").getroot()
    lines = [it for it in drawn if it.tag.endswith("polyline")]
    assert len(lines) == 8, "two figures of four pairs"


@pytest.mark.parametrize(
    ("words", "cached", "workload", "code"),
    [
        ((), 564, "done", 0),
        ((), 565, "done", 3),
        (("--max-ram-growth", "0"), 501, "done", 3),
        (("--max-growth", "0"), 500, "done", 0),
        ((), 500, "failed", 1),
        (("--busybox", "none=/missing"), 500, "done", 2),
    ],
)
def test_the_starter_kit_ends_as_the_comparison_does(
    tmp_path: Path,
    board: Path,
    first: Path,
    words: tuple[str, ...],
    cached: int,
    workload: str,
    code: int,
) -> None:
    folder = shutil.copytree(first, tmp_path / "kit")
    run = kit(folder, board, *words, cached=cached, workload=workload)
    assert run.returncode == code, run.stderr


def test_a_larger_image_and_a_broken_history_are_told(
    tmp_path: Path, board: Path, first: Path
) -> None:
    folder = shutil.copytree(first, tmp_path / "kit")
    (folder / "rootfs/bin/busybox").write_bytes(NOISE)
    run = kit(folder, board, "--max-growth", "64K")
    assert run.returncode == 3
    assert "over the limit 64K" in run.stdout
    (folder / "history.csv").write_text("something else\n")
    run = kit(folder, board)
    assert run.returncode == 1
    assert "is no history of this script" in run.stderr
