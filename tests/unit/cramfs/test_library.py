# SPDX-License-Identifier: MIT
"""CramFS as a library: its examples run, and it stands by itself."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import tinyprof.cramfs
from tinyprof.cramfs import CramfsError
from tinyprof.errors import TinyprofError

TOP = Path(__file__).parents[3]


def test_the_example_of_the_package_runs() -> None:
    result = doctest.testmod(tinyprof.cramfs)
    assert result.attempted > 5
    assert result.failed == 0


def test_the_example_script_runs() -> None:
    run = subprocess.run(
        [sys.executable, TOP / "examples/cramfs_library.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "built: 1 page in place, 0 refused\n" in run.stdout
    assert "symlink       11 bytes, 0 in place: /init\n" in run.stdout
    assert "checked: 0 errors in 6 pages\n" in run.stdout
    assert "left out: /dev/console (a device)\n" in run.stdout
    assert "refused: /broken: not a cramfs image" in run.stdout


def test_the_page_of_the_library_names_every_public_name() -> None:
    page = (TOP / "docs/cramfs-library.md").read_text()
    assert [name for name in tinyprof.cramfs.__all__ if f"`{name}" not in page] == []
    assert len(tinyprof.cramfs.__all__) <= 35


def test_every_error_of_the_library_has_one_root() -> None:
    errors = {
        value
        for module in list(sys.modules.values())
        if module.__name__.startswith("tinyprof.cramfs")
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value is not TinyprofError
    }
    ours = {error for error in errors if error.__module__.startswith("tinyprof.cramfs")}
    assert len(ours) > 2
    assert all(issubclass(error, CramfsError) for error in ours)
    assert issubclass(CramfsError, TinyprofError)
