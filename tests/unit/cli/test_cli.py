# SPDX-License-Identifier: MIT
"""The program as a user meets it: one line and an exit code for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import PYTHON, tinyprof_text
from tinyprof.cli import COMMANDS, MODULES


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["record", "/dev/none-such"], 1, "no such port"),
        (["record", "x", "--epoch", "soon"], 2, "is no time"),
        (["record", "x", "--roll", "0s"], 2, "is no time"),
        (["build", "/none-such", "out"], 1, "No such file"),
        (["image", "info", "/none-such"], 1, "No such file"),
        (["image", "info", "/bin/sh"], 1, "/bin/sh: not a cramfs image"),
        (["report", "/bin/sh"], 1, "not a tinyprof profile"),
        (["report", "/bin/sh", "--rootfs", "/"], 2, "--rootfs goes with --html"),
        (["report", "/bin/sh", "/bin/sh"], 1, "not a tinyprof profile"),
        (["profile", "/bin/sh", "-o", "out"], 1, "/bin/sh: not a tinyprof profile"),
        (
            ["profile", "/bin/sh", "--image", "/bin/sh", "-o", "out"],
            1,
            "/bin/sh: not a cramfs image",
        ),
        (["record", "/dev/null", "--image", "/bin/sh"], 1, "/bin/sh: not a cramfs image"),
        (["record", "/dev/null", "-o", "/dev/zero"], 1, "exists"),
        (["nonsense"], 2, "No such command"),
        (["repotr"], 2, "Did you mean 'report'?"),
        (["image", "inof"], 2, "Did you mean 'info'?"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], code: int, said: str) -> None:
    run = tinyprof(*words)
    assert run.returncode == code
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("tinyprof: ")
    assert said in line


def test_help_and_build_never_import_the_live_view() -> None:
    names = (MODULES.get(name, name) for name in COMMANDS)
    commands = ", ".join(f"tinyprof.cli.commands.{name}" for name in names)
    check = f"import sys, {commands}; sys.exit('textual' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_live_view_never_imports_a_report_or_a_planner() -> None:
    check = (
        "import sys, tinyprof.cli.commands.view, tinyprof.live.playback, tinyprof.tui.app; "
        "sys.exit(' '.join({'tinyprof.plan.planner', 'tinyprof.report.html.page', "
        "'tinyprof.report.summary', 'tinyprof.cli.building.block_cache'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, check=False)
    assert done.stderr == b"\n"


def test_what_is_built_is_what_image_shows(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "odd\x1b[2J").write_bytes(b"\x7fELF" + bytes(8000))
    (tmp_path / "plan").write_text(json.dumps({"format": 1, "pages": {"/odd\x1b[2J": [[0, 1]]}}))
    words: list[str | Path] = [
        "build",
        tmp_path / "root",
        tmp_path / "image",
        "--plan",
        tmp_path / "plan",
    ]
    assert tinyprof(*words).returncode == 0
    assert '"pages_in_place": 2' in tinyprof("image", "info", "--json", tmp_path / "image").stdout
    listed = tinyprof("image", "ls", tmp_path / "image").stdout
    assert "\x1b" not in listed
    assert r"odd\x1b[2J" in listed


def test_every_command_has_help_by_its_short_option() -> None:
    for name in COMMANDS:
        run = tinyprof(name, "-h")
        assert (run.returncode, run.stderr) == (0, "")
        assert "Example: tinyprof" in run.stdout
        assert all(len(line) <= 80 for line in run.stdout.splitlines()), name


@pytest.mark.parametrize("words", [[], ["image"], ["capture"]])
def test_a_bare_command_prints_its_help(words: list[str]) -> None:
    run = tinyprof(*words)
    assert "Commands:" in run.stdout
    assert "..." not in run.stdout.partition("Commands:")[2]


def completed(*words: str, folder: Path) -> list[str]:
    """What a shell is offered for the last word."""
    environment = {
        **os.environ,
        "_TINYPROF_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["tinyprof", *words]),
        "COMP_CWORD": str(len(words)),
    }
    run = subprocess.run(
        PYTHON, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    return run.stdout.split()


def test_a_shell_completes_ports_captures_and_profiles(tmp_path: Path) -> None:
    for name in ("boot.tpcap", "boot.tprof", "notes.txt", "folder/"):
        path = tmp_path / name
        path.mkdir() if name.endswith("/") else path.touch()
    assert completed("record", "si", folder=tmp_path) == ["plain,sim:"]
    assert completed("record", "sim:b", folder=tmp_path) == ["plain,sim:boot.tpcap"]
    assert completed("record", "boot", folder=tmp_path) == ["file,boot"]
    assert completed("view", "b", folder=tmp_path) == ["plain,boot.tpcap"]
    assert completed("report", "b", folder=tmp_path) == ["plain,boot.tpcap", "plain,boot.tprof"]
    assert completed("plan", "root", "-p", "boot.tpr", folder=tmp_path) == ["plain,boot.tprof"]
    assert completed("view", "f", folder=tmp_path) == ["dir,f"]
    assert completed("doctor", "si", folder=tmp_path) == ["plain,sim:", "file,si"]
