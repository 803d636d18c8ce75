# SPDX-License-Identifier: MIT
"""Hundreds of real files, split at random, are what they were: to the proof, to binutils, and when
run."""

from __future__ import annotations

import platform
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from support.debian_files import PACKAGES, debian_files, elf_files
from tinyprof.segments.elf import Reason, SplitError, read_elf
from tinyprof.segments.proof import prove
from tinyprof.segments.split import runs_of, split, splittable

SEED = 20261124
FILES_MIN = 300
SHORT = 1 << 21
"""Bytes of a file that objdump disassembles in a moment."""


def split_at_random(path: Path, seed: int) -> bytes:
    """A file with one to eight runs of its pages. Raises SplitError."""
    data = path.read_bytes()
    rng = random.Random(f"{seed} {path.name}")
    pages = sorted({page for owned in splittable(read_elf(data)) for page in owned})
    chosen = rng.sample(pages, min(len(pages), rng.randrange(1, 20)))
    return split(data, runs_of(chosen)[:8]).elf


def said(*command: str | Path) -> tuple[str, str]:
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return run.stdout, run.stderr


@pytest.mark.parametrize("architecture", PACKAGES)
def test_every_file_is_split_and_proved_or_left_whole_for_a_reason(
    architecture: str, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    reasons: Counter[Reason] = Counter()
    for path in elf_files(architecture):
        try:
            data = split_at_random(path, SEED)
        except SplitError as error:
            reasons[error.reason] += 1
            continue
        original = path.read_bytes()
        if data == original:
            continue
        assert prove(original, data).differences == (), path
        copy = tmp_path / "split"
        copy.write_bytes(data)
        # Complaints of the original are the original's.
        assert said("readelf", "-hlSW", copy)[1] == said("readelf", "-hlSW", path)[1].replace(
            str(path), str(copy)
        ), path
    # Object files such as crt1.o are none to be loaded.
    assert set(reasons) <= {Reason.NOT_LOADABLE, Reason.NO_PLACE}
    assert reasons[Reason.NO_PLACE] <= 2


def test_there_are_enough_of_them() -> None:
    counts = {architecture: len(elf_files(architecture)) for architecture in PACKAGES}
    print(counts)
    assert sum(counts.values()) >= FILES_MIN


@pytest.mark.parametrize("architecture", ["armhf", "arm64", "amd64"])
def test_binutils_see_the_same_file(architecture: str, tmp_path: Path) -> None:
    prefix = {"armhf": "arm-linux-gnueabihf-", "arm64": "aarch64-linux-gnu-", "amd64": ""}[
        architecture
    ]
    if not shutil.which(f"{prefix}objdump"):
        pytest.skip(f"no {prefix}objdump here")
    files = [
        path
        for path in elf_files(architecture)
        if path.stat().st_size < SHORT and ".o" not in path.name
    ]
    for path in random.Random(SEED).sample(files, 8):
        copy = tmp_path / path.name
        try:
            copy.write_bytes(split_at_random(path, SEED))
        except SplitError:
            continue
        for tool in (["objdump", "-d"], ["objdump", "-s", "-j", ".rodata"], ["nm", "-D"], ["nm"]):
            before, after = (
                said(f"{prefix}{tool[0]}", *tool[1:], file)[0] for file in (path, copy)
            )
            assert after.replace(str(copy), str(path)) == before, (path, tool)


@pytest.fixture
def split_system(tmp_path: Path) -> Path:
    """ld.so, libc, other libraries and the programs of coreutils, each split at random, in one
    folder."""
    top = debian_files("amd64")
    native = [
        path
        for path in elf_files("amd64")
        if "x86_64-linux-gnu" in path.parts or path.parent.name == "bin"
    ]
    for path in native:
        copy = tmp_path / path.name
        try:
            copy.write_bytes(split_at_random(path, SEED))
        except SplitError as error:
            print(f"whole: {path.name}: {error}")
            copy.write_bytes(path.read_bytes())
        copy.chmod(0o755)
    for link in top.rglob("x86_64-linux-gnu/*.so*"):
        target = link.readlink().name if link.is_symlink() else link.name
        if link.name != target and (tmp_path / target).exists():
            (tmp_path / link.name).symlink_to(target)
    return tmp_path


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="files of another architecture do not run here"
)
def test_split_programs_run_on_split_libraries(split_system: Path) -> None:
    loader: list[str | Path] = [
        split_system / "ld-linux-x86-64.so.2",
        "--library-path",
        split_system,
    ]
    programs = [path.name for path in elf_files("amd64") if path.parent.name == "bin"]
    ran = 0
    for name in programs:
        if name in ("busybox", "iconv"):
            continue
        run = subprocess.run(
            [*loader, split_system / name, "--version"],
            capture_output=True,
            text=True,
            check=False,
        )
        known_to_fail = ("false", "test")
        assert run.returncode == 0 or name in known_to_fail, (name, run.stderr)
        ran += 1
    print(f"{ran} programs ran")
    assert ran >= 80


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="files of another architecture do not run here"
)
def test_the_loader_lists_the_same_libraries(split_system: Path) -> None:
    """What ldd asks of ld.so."""
    (program,) = (path for path in elf_files("amd64") if path.name == "ls")
    lists = [
        said(
            split_system / "ld-linux-x86-64.so.2", "--library-path", split_system, "--list", path
        )[0]
        for path in (program, split_system / "ls")
    ]
    named, again = (re.findall(r"^\t(\S+) =>", text, re.MULTILINE) for text in lists)
    assert named == again
    assert "libc.so.6" in named


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="files of another architecture do not run here"
)
def test_a_split_static_program_runs_by_itself(split_system: Path) -> None:
    run = subprocess.run(
        [split_system / "busybox", "echo", "split"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "split\n"
