# SPDX-License-Identifier: MIT
"""Debian's gdbserver on a program in place, on our kernel (guest/debugs.c speaks its protocol)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from target.booting import KERNELS, Demo, boot
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import pages_in

PROGRAM = "sbin/debugs"
STEPS = [
    "it is stopped",
    "its code is read",
    "a breakpoint is set",
    "it stops there",
    "the breakpoint is gone",
    "it does one step",
    "it is let go",
]
ROUNDS = "went on 5"


@pytest.fixture(scope="module")
def image(
    demo: Demo, guest: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The reference root filesystem with the program, all of which is in place."""
    folder = tmp_path_factory.mktemp("debugger")
    shutil.copytree(demo.folder / "rootfs", folder / "root", symlinks=True)
    program = folder / "root" / PROGRAM
    shutil.copy(guest("debugs"), program)
    pages = range(pages_in(program.stat().st_size) - 1)
    tree = Tree.from_directory(folder / "root")
    built = folder / "image"
    built.write_bytes(write_image(tree, {f"/{PROGRAM}": pages}, WriteOptions()).image)
    return built


def said(image: Path, version: str, *words: str) -> tuple[Sequence[str], Sequence[str]]:
    """What went well and what did not."""
    append = f"init=/{PROGRAM} {' '.join(words)}"
    console = boot(image, "--version", version, "--append", append)
    assert "debugs done" in console, console[-2000:]
    assert "mm/memory.c" not in console
    assert ROUNDS in console, console[-2000:]
    good = re.findall(r"^good (.*?)\r?$", console, re.MULTILINE)
    return good, re.findall(r"^bad (.*?)\r?$", console, re.MULTILINE)


@pytest.mark.parametrize("version", KERNELS)
def test_a_program_that_gdbserver_starts_is_debugged(image: Path, version: str) -> None:
    assert said(image, version, "--", "start") == (STEPS, [])


def test_a_running_program_in_place_takes_no_breakpoint_and_goes_on(image: Path) -> None:
    good, bad = said(image, "6.1", "--", "attach")
    assert good == ["it is stopped", "it is let go"]
    assert [what.partition(":")[0] for what in bad] == STEPS[1:3]


def test_with_the_switch_off_a_running_program_is_debugged(image: Path) -> None:
    assert said(image, "6.1", "cramfs.xip=0", "--", "attach") == (STEPS, [])
