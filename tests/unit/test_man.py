# SPDX-License-Identifier: MIT
"""The manual pages are those of the help that the program prints now."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinyprof.cli import COMMANDS

MAN = Path(__file__).resolve().parents[2] / "docs/man"
PAGES = ["tinyprof.1", *(f"tinyprof-{name}.1" for name in COMMANDS)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, MAN / "make.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(made: Path, name: str) -> None:
    """`make man` makes them again."""
    assert (made / name).read_text() == (MAN / name).read_text()


def test_there_is_no_page_of_a_command_that_is_gone() -> None:
    assert sorted(path.name for path in MAN.glob("*.1")) == sorted(PAGES)


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound(name: str) -> None:
    command = ["man", "--warnings", "-l", str(MAN / name)]
    environment = {"MANWIDTH": "80", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    assert "EXIT STATUS" in done.stdout
