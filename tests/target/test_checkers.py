# SPDX-License-Identifier: MIT
"""Kernels that check themselves find nothing wrong with our part under stress (guest/stress).

A run here is short. `make soak` stresses each for half an hour.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from target.booting import PAGES, at_hand, boot, pattern_image
from target.conftest import GUEST
from target.stress import CROSS_GCC, FAMILIES, look_through, stress
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SECONDS = 20
SEED = 1
PERHAPS_NEVER = {"killed", "huge_page"}
"""Counts that may be 0: children killed where memory was short, and huge pages in a short run."""


FOUR_PROCESSORS = ("--cpus", "4", "--mem", "160")
HUGE_PAGES = (2 << 20) // PAGE_SIZE
DATA_PAGES = 8
"""Of guest/cores.c: pages of data that nobody writes."""


CHECKED = {family: at_hand("6.1", arch, target="soak") for family, arch in FAMILIES.items()}


def program(folder: Path, name: str) -> Path:
    """A program of tests/target/guest, static, for arm64, with threads."""
    flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-static", "-pthread"]
    subprocess.run([CROSS_GCC, *flags, "-o", folder / name, GUEST / f"{name}.c"], check=True)
    return folder / name


@pytest.mark.parametrize(
    "family", [pytest.param(family, marks=CHECKED[family]) for family in FAMILIES]
)
def test_a_kernel_that_checks_itself_finds_nothing_under_stress(family: str) -> None:
    print(f"seed {SEED}")
    result = stress(family, SECONDS, SEED)
    assert result.found == ()
    assert result.ended, result.console[-2000:]
    assert {name for name, times in result.counts.items() if not times} <= PERHAPS_NEVER
    assert ("kmemleak scanned" in result.console) == (family == "lockdep")


@CHECKED["kasan"]
def test_blocks_in_place_that_became_a_huge_page_are_mapped_one_by_one(tmp_path: Path) -> None:
    """Without a page table of their own the second thread's frame would be put into the huge
    page."""
    pattern = b"".join(
        page.to_bytes(4, "little") * (PAGE_SIZE // 4) for page in range(2 * HUGE_PAGES)
    )
    in_place = range(HUGE_PAGES, 2 * HUGE_PAGES, 5)
    image = pattern_image(tmp_path, program(tmp_path, "huge"), in_place, pattern=pattern)
    result = look_through(boot(image, "--arch", FAMILIES["kasan"], *FOUR_PROCESSORS))
    assert result.found == ()
    assert len(re.findall(r"^good ", result.console, re.MULTILINE)) == 4
    assert "huge done" in result.console


def core_dumped(folder: Path, part: float, *words: str) -> tuple[int, int]:
    """Pages of guest/cores.c in its core dump, a part of it in place, and those of them that are
    zeros there alone."""
    init = program(folder, "cores")
    top = folder / "root"
    for name in ("dev", "proc", "sbin", "tmp"):
        (top / name).mkdir(parents=True)
    (top / "sbin/init").write_bytes(init.read_bytes())
    (top / "sbin/init").chmod(0o755)
    in_place = range(int(part * (init.stat().st_size // PAGE_SIZE)))
    image = folder / "image"
    tree = Tree.from_directory(top)
    image.write_bytes(write_image(tree, {"/sbin/init": in_place}, WriteOptions()).image)
    console = boot(image, "--arch", FAMILIES["kasan"], "--mem", "160", *words)
    found = re.search(r"^core (\d+) (\d+)", console, re.MULTILINE)
    assert found, console[-2000:]
    return int(found[1]), int(found[2])


@CHECKED["kasan"]
@pytest.mark.parametrize("part", [1, 1 / 2])
def test_a_core_dump_holds_the_pages_in_place(tmp_path: Path, part: float) -> None:
    """The ELF header, and data that nobody wrote."""
    pages, zeroed = core_dumped(tmp_path, part)
    assert pages >= 1 + DATA_PAGES
    assert zeroed == 0


@at_hand("6.1", FAMILIES["kasan"], kinds=[True])
def test_a_core_dump_of_a_stock_kernel_has_zeros_for_an_elf_header_in_place(
    tmp_path: Path,
) -> None:
    """Where the text is partly in place. Of the pages in place no other one is dumped there."""
    _, zeroed = core_dumped(tmp_path, 1 / 2, "--stock")
    assert zeroed == 1


@pytest.mark.parametrize("in_place", [range(0, PAGES, 4), range(0)])
def test_no_page_is_missed_while_four_processors_touch_and_a_reader_re_arms(
    tmp_path: Path, in_place: range
) -> None:
    image = pattern_image(tmp_path, program(tmp_path, "rearms"), in_place)
    console = boot(image, "--arch", "arm64", *FOUR_PROCESSORS)
    assert "rearms done" in console
    assert re.search(r"^touches [1-9]", console, re.MULTILINE)
    assert re.search(r"^missed 0\b", console, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "[    1.0] WARNING: possible circular locking dependency detected",
        "[    1.0] kernel BUG at mm/memory.c:1838!",
        "[    1.0] BUG: KASAN: use-after-free in tinyprof_touch+0x10/0x20",
        "[    1.0] UBSAN: shift-out-of-bounds in fs/cramfs/xip.c:1:2",
        "bad touch: file 3, page 7, byte 12",
        "hang tracer rearm",
        "leak unreferenced object 0xffff000001234500 (size 64):",
        "tainted 512",
    ],
)
def test_a_line_that_tells_of_something_wrong_is_found(line: str) -> None:
    assert look_through(f"count touch 3 17\n{line}\nstress done\n").found == (line,)


def test_what_a_good_run_prints_is_no_complaint() -> None:
    result = look_through("seed 1\ncount touch 3 17\r\ntainted 0\r\nstress done\r\n")
    assert (result.found, result.counts, result.ended) == ((), {"touch": 3}, True)
