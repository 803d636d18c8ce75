# SPDX-License-Identifier: MIT
"""A patch that patch(1) would apply in part, and in silence, is refused before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qemu_board.errors import BoardError
from qemu_board.kernel import (
    LINUX,
    TRACER,
    check_hunks,
    mended_from,
    patches_for,
    versions,
)
from qemu_board.kernel_source import Archive

MENDED = "0004-mm-refuse-a-remote-copy-of-a-pfn-mapping.patch"

PROPOSALS = sorted((LINUX / "proposals").glob("*.patch"))

RECIPE = LINUX.parent / "meta-tinyprof/recipes-kernel/linux/linux-tinyprof.inc"

GOOD = """Subject: words
- a list in the words
---
--- a/f
+++ b/f
@@ -1,2 +1,3 @@
 one
+two
 three
@@ -9 +10 @@
-nine
+ten
"""


def test_our_patches_are_whole() -> None:
    patches = [*(LINUX / "series").rglob("*.patch"), *PROPOSALS]
    assert patches
    for patch in patches:
        check_hunks(patch)


NAMING = (
    "buildroot/linux/Config.ext.in",
    "buildroot/package/tinyprof-agent/Config.in",
    "meta-tinyprof/recipes-kernel/linux/linux-tinyprof.inc",
)
"""Files of build systems that name the versions."""


@pytest.mark.parametrize("name", NAMING)
def test_a_build_system_names_every_version(name: str) -> None:
    text = (LINUX.parent / name).read_text()
    assert all(version in text for version in versions())


def test_each_version_has_the_same_patches() -> None:
    folders = [*(LINUX / "series").iterdir()]
    names = {frozenset(patch.name for patch in folder.glob("*.patch")) for folder in folders}
    assert len(names) == 1


@pytest.mark.parametrize(
    ("release", "left_out"),
    [((6, 12, 117), set()), ((6, 12, 118), {MENDED}), ((6, 12, 120), {MENDED})],
)
def test_a_patch_that_a_release_has_itself_is_left_out(
    release: tuple[int, ...], left_out: set[str]
) -> None:
    words = ".".join(map(str, release))
    source = Archive("6.12", Path("/none"), f"{words}-1~deb12u1")
    assert source.release == release
    names = {patch.name for patch in (LINUX / "series/6.12").glob("*.patch")}
    assert names - {patch.name for patch in patches_for(source)} == left_out


def test_what_is_proposed_comes_in_place_of_the_tracer() -> None:
    source = Archive("6.1", Path("/none"), "6.1.192-1")
    shipped, proposed = patches_for(source), patches_for(source, proposed=True)
    assert [patch for patch in shipped if patch not in proposed] == [LINUX / "series/6.1" / TRACER]
    assert [patch for patch in proposed if patch not in shipped] == PROPOSALS
    assert PROPOSALS


class Variables(dict[str, str]):
    """The variables of a recipe."""

    def getVar(self, name: str) -> str | None:
        return self.get(name)


def series_of_recipe(variables: Variables) -> str:
    """The patches that the recipe of the Yocto layer names."""
    text = RECIPE.read_text()
    begin = text.index("def tinyprof_series")
    names: dict[str, Any] = {"os": os}
    exec(text[begin : text.index("\n\n", begin)], names)
    return str(names["tinyprof_series"](variables))


def test_empty_lines_among_the_mended_patches_are_passed_over(tmp_path: Path) -> None:
    series = tmp_path / "firmware/linux/series/6.12"
    series.mkdir(parents=True)
    (series / "mended").write_text(f"\n# words\n\n{MENDED} 6.12.118\n  \n")
    for name in (MENDED, "0005-other.patch"):
        (series / name).touch()
    assert mended_from(series) == {MENDED: (6, 12, 118)}
    recipe = Variables(
        TINYPROF_KERNEL_PART="1", TINYPROF_SOURCE=str(tmp_path), LINUX_VERSION="6.12.118"
    )
    assert series_of_recipe(recipe) == "file://series/6.12/0005-other.patch"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-1,2 +1,3", "-1,2 +1,2"),
        ("-1,2 +1,3", "-1,3 +1,4"),
        ("-9 +10", "-9,2 +10"),
        ("-9 +10", "-9,0 +10"),
    ],
)
def test_a_wrong_count_is_told(tmp_path: Path, before: str, after: str) -> None:
    patch = tmp_path / "wrong.patch"
    patch.write_text(GOOD.replace(before, after))
    with pytest.raises(BoardError, match="hunk"):
        check_hunks(patch)


def test_a_good_patch_is_taken(tmp_path: Path) -> None:
    (tmp_path / "good.patch").write_text(GOOD)
    check_hunks(tmp_path / "good.patch")
