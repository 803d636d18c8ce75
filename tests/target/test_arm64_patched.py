# SPDX-License-Identifier: MIT
"""Our kernel part on arm64: mapping, reading and recording as on 32-bit ARM, by the same guest
programs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from target.booting import PAGES, boot, pattern_image
from target.conftest import GUEST
from target.test_shares import EVERYBODY, told

CROSS_GCC = "aarch64-linux-gnu-gcc"
ARM64 = ("--arch", "arm64")
EIO = 5
IN_PLACE = {"none": [], "every second": range(0, PAGES, 2), "all": range(PAGES)}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a program of tests/target/guest for arm64, static, once."""
    out = tmp_path_factory.mktemp("arm64")

    def build(name: str) -> Path:
        made = out / name
        if not made.exists():
            flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-static"]
            subprocess.run([CROSS_GCC, *flags, "-o", made, GUEST / f"{name}.c"], check=True)
        return made

    return build


def said(console: str, name: str) -> int:
    """How many things went well; none may have gone wrong, and the program ends."""
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert f"{name} done" in console
    return len(re.findall(r"^good .*$", console, re.MULTILINE))


@pytest.mark.parametrize("in_place", IN_PLACE)
@pytest.mark.parametrize(("name", "checks"), [("mappings", 17), ("reads", 6)])
def test_a_program_sees_its_file_whatever_it_does(
    tmp_path: Path, program: Callable[[str], Path], name: str, checks: int, in_place: str
) -> None:
    image = pattern_image(tmp_path, program(name), IN_PLACE[in_place])
    assert said(boot(image, *ARM64), name) == checks


@pytest.mark.parametrize("in_place", IN_PLACE)
def test_each_epoch_has_just_what_its_processes_did(
    tmp_path: Path, program: Callable[[str], Path], in_place: str
) -> None:
    pages: Sequence[int] = IN_PLACE[in_place]
    image = pattern_image(tmp_path, program("shares"), pages, {"sbin/visits": program("visits")})
    console = boot(image, *ARM64)
    said(console, "shares")
    truth = told(console, "truth")
    assert truth[1] == EVERYBODY
    assert told(console, "seen") == truth


def test_a_debugger_never_destroys_a_page_in_place(
    tmp_path: Path, program: Callable[[str], Path]
) -> None:
    image = pattern_image(tmp_path, program("remote"), range(PAGES // 2))
    console = boot(image, *ARM64)
    assert re.search(rf"^poke {EIO} 0", console, re.MULTILINE)
    assert re.search(rf"^mem {EIO} 0", console, re.MULTILINE)
    assert re.search(r"^traced 0 0", console, re.MULTILINE)
