# SPDX-License-Identifier: MIT
"""The kernel part is held to the kernel's own style: checkpatch.pl --strict finds nothing at
all. The series is just what its parts make.

These checks take minutes and depend on files alone, so a check that passed is remembered."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qemu_board.kernel_source import archive
from qemu_board.packages import version_of
from support.remembered import passes
from target.booting import KERNELS, ROOT, board

LINUX = ROOT / "firmware/linux"
SERIES = LINUX / "make-series"
UNPACKING = ROOT / "firmware/board/qemu_board/kernel_source.py"
SOURCES = sorted(path for path in (LINUX / "overlay").rglob("*.[ch]"))
PATCHES = sorted([*LINUX.glob("series/*/*.patch"), *LINUX.glob("proposals/*.patch")])
MAINTAINED = "FILE_PATH_CHANGES"
"""checkpatch asks whether MAINTAINERS needs an entry for new files. fs/cramfs/ has one."""


def checkpatch(*words: str, patch: bytes = b"") -> str:
    """Its complaints, a line each."""
    source = Path(board("source"))
    command: list[str | Path] = [
        "perl",
        source / "scripts/checkpatch.pl",
        "--strict",
        "--ignore",
        MAINTAINED,
        "--terse",
    ]
    run = subprocess.run(
        [*command, *words], input=patch, cwd=source, stdout=subprocess.PIPE, check=False
    )
    return "\n".join(
        line for line in run.stdout.decode().splitlines() if not line.startswith("total: ")
    )


def assert_in_style(path: Path, *words: str, patch: bytes = b"") -> None:
    """checkpatch has nothing to say. It reads no more than this file and its own kernel tree."""

    def check() -> None:
        assert checkpatch(*words, patch=patch) == ""

    versions = (archive("6.1").package_version, str(version_of("perl")))
    passes(("checkpatch", str(path.relative_to(LINUX)), *versions), [Path(__file__), path], check)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_source_file_is_in_the_kernels_style(source: Path) -> None:
    assert_in_style(source, "-f", str(source))


@pytest.mark.parametrize("version", KERNELS)
def test_the_series_is_what_its_parts_make_and_git_am_takes_it(version: str) -> None:
    def check() -> None:
        run = subprocess.run(
            [SERIES, "--check", version], capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")

    folders = (f"patches/{version}", f"series/{version}", "messages", "overlay")
    parts = sorted(
        path for name in folders for path in (LINUX / name).rglob("*") if path.is_file()
    )
    names = [str(path.relative_to(LINUX)) for path in parts]
    versions = (archive(version).package_version, str(version_of("git")))
    passes(
        ("series", version, *versions, *names), [Path(__file__), SERIES, UNPACKING, *parts], check
    )


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_patch_is_in_the_kernels_style(patch: Path) -> None:
    assert_in_style(patch, "-", patch=patch.read_bytes())


def test_checkpatch_itself_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text(
        "// SPDX-License-Identifier: MIT\nint f( int a ) { return a ; }\n"
    )
    assert "ERROR" in checkpatch("-f", str(tmp_path / "bad.c"))
