# SPDX-License-Identifier: MIT
"""The comparison with other file systems: how boots are judged, kept, and put into a table."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "firmware/board/compare"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    loader = SourceFileLoader("board_compare", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


@pytest.fixture
def booted(
    compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], tuple[object, list[int]]]:
    """Boots in which the workload is done with this much RAM or more, and the RAM of each that was
    really made."""

    def make(enough: int) -> tuple[object, list[int]]:
        made: list[int] = []

        def boot(it: object, row: object, ram: int) -> object:
            made.append(ram)
            return compare.Boot(compare.PLAIN.name, ram, ram >= enough)

        monkeypatch.setattr(compare, "boot", boot)
        it = compare.Comparison("tinyprof", tmp_path, "heavier", 600)
        it.image(compare.PLAIN).write_bytes(b"image")
        return compare.Boots(it), made

    return make


@pytest.mark.parametrize("enough", [10, 11, 21, 24, 25, 32, 63, 64])
def test_the_smallest_ram_is_found_by_bisection(
    compare: ModuleType, booted: Callable[[int], tuple[object, list[int]]], enough: int
) -> None:
    boots, made = booted(enough)
    assert compare.smallest_ram(boots, compare.PLAIN, [64, 32, 24]) == enough
    assert len(made) <= 8


def test_a_workload_that_is_never_done_has_no_smallest_ram(
    compare: ModuleType, booted: Callable[[int], tuple[object, list[int]]]
) -> None:
    boots, made = booted(65)
    assert compare.smallest_ram(boots, compare.PLAIN, [64, 32, 24]) is None
    assert made == [64, 32, 24]


def test_a_boot_is_made_once_for_each_image(
    compare: ModuleType, tmp_path: Path, booted: Callable[[int], tuple[object, list[int]]]
) -> None:
    boots, made = booted(20)
    first = boots.of(compare.PLAIN, 32)  # type: ignore[attr-defined]
    again = compare.Boots(boots._it)  # type: ignore[attr-defined]
    assert again.of(compare.PLAIN, 32) == first
    assert made == [32]
    (tmp_path / f"{compare.PLAIN.file_name}.img").write_bytes(b"another image")
    again.of(compare.PLAIN, 32)
    assert made == [32, 32]
    assert len(json.loads((tmp_path / "boots.json").read_text())) == 2


@pytest.mark.parametrize(
    ("code", "console", "why"),
    [
        (0, b"report cut 2\n", "time"),
        (124, b"", "time"),
        (1, b"Kernel panic - not syncing: Out of memory: compulsory panic_on_oom", "memory"),
        (1, b"Kernel panic - not syncing: VFS: Unable to mount root fs", "failed"),
    ],
)
def test_a_boot_that_is_not_done_says_why(
    compare: ModuleType, code: int, console: bytes, why: str
) -> None:
    assert compare._why(code, console) == why


def test_the_table_has_a_row_for_each_file_system(compare: ModuleType) -> None:
    done = compare.Boot("EROFS", 64, True, "", 1_234_567, 40, 50_000, 3, 99, 12.34)
    cut = compare.Boot("EROFS", 24, False, "memory", 1_234_567)
    lines = list(compare.table([[done, cut]], {"EROFS": 26}))
    assert lines[0].startswith("| root file system | image bytes | page cache, 64 MiB |")
    assert lines[2] == (
        "| EROFS | 1,234,567 | 40 KiB | 50,000 KiB | 12.3 s | 3 | not done (memory) |  | 26 MiB |"
    )
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_each_row_has_an_image_of_its_own(compare: ModuleType) -> None:
    names = [row.file_name for row in compare.ROWS]
    assert len(set(names)) == len(names)
    assert [row.name for row in compare.ROWS if row.patched] == [
        "CramFS, hot pages in place (patched)"
    ]
