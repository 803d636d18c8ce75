# SPDX-License-Identifier: MIT
"""Our kernel part on arm64 and RISC-V: mapping, reading and recording as on 32-bit ARM, by the
same guest programs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from target.booting import PAGES, at_hand, boot, pattern_image
from target.conftest import GUEST
from target.test_shares import EVERYBODY, told

Words = tuple[str, ...]
CROSS_GCC = "aarch64-linux-gnu-gcc"
COMPILERS = {"arm64": CROSS_GCC, "riscv64": "riscv64-linux-gnu-gcc"}
EIO = 5


def machine(arch: str, version: str, *words: str) -> object:
    """Words for the board as a test's parameter. Beside arm64's 6.1, which make test builds, a
    kernel has to be in the cache."""
    marks = () if (arch, version) == ("arm64", "6.1") else at_hand(version, arch)
    name = " ".join((arch, version, *words))
    return pytest.param(("--arch", arch, "--version", version, *words), marks=marks, id=name)


MACHINES = [
    machine("arm64", "6.1"),
    machine("arm64", "6.1", "--cpus", "4"),
    machine("arm64", "6.12"),
    machine("arm64", "7.2"),
    machine("riscv64", "6.1"),
]
IN_PLACE = {"none": [], "every second": range(0, PAGES, 2), "all": range(PAGES)}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Words], Path]:
    """Builds a program of tests/target/guest for a machine, static, once."""
    out = tmp_path_factory.mktemp("programs")

    def build(name: str, words: Words) -> Path:
        arch = words[1]
        made = out / f"{name}-{arch}"
        if not made.exists():
            flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-static"]
            command: list[str | Path] = [COMPILERS[arch], *flags, "-o", made, GUEST / f"{name}.c"]
            subprocess.run(command, check=True)
        return made

    return build


def said(console: str, name: str) -> int:
    """How many things went well; none may have gone wrong, and the program ends."""
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert f"{name} done" in console
    return len(re.findall(r"^good .*$", console, re.MULTILINE))


@pytest.mark.parametrize("words", MACHINES)
@pytest.mark.parametrize("in_place", IN_PLACE)
@pytest.mark.parametrize(("name", "checks"), [("mappings", 17), ("reads", 6)])
def test_a_program_sees_its_file_whatever_it_does(
    tmp_path: Path,
    program: Callable[[str, Words], Path],
    words: Words,
    name: str,
    checks: int,
    in_place: str,
) -> None:
    image = pattern_image(tmp_path, program(name, words), IN_PLACE[in_place])
    assert said(boot(image, *words), name) == checks


@pytest.mark.parametrize("words", MACHINES)
@pytest.mark.parametrize("in_place", IN_PLACE)
def test_each_epoch_has_just_what_its_processes_did(
    tmp_path: Path, program: Callable[[str, Words], Path], words: Words, in_place: str
) -> None:
    pages: Sequence[int] = IN_PLACE[in_place]
    image = pattern_image(
        tmp_path, program("shares", words), pages, {"sbin/visits": program("visits", words)}
    )
    console = boot(image, *words)
    said(console, "shares")
    truth = told(console, "truth")
    assert truth[1] == EVERYBODY
    assert told(console, "seen") == truth


@pytest.mark.parametrize("words", MACHINES)
def test_a_debugger_never_destroys_a_page_in_place(
    tmp_path: Path, program: Callable[[str, Words], Path], words: Words
) -> None:
    image = pattern_image(tmp_path, program("remote", words), range(PAGES // 2))
    console = boot(image, *words)
    assert re.search(rf"^poke {EIO} 0", console, re.MULTILINE)
    assert re.search(rf"^mem {EIO} 0", console, re.MULTILINE)
    assert re.search(r"^traced 0 0", console, re.MULTILINE)
