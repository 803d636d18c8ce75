# SPDX-License-Identifier: MIT
"""A patch that patch(1) would apply in part, and in silence, is refused before."""

from __future__ import annotations

from pathlib import Path

import pytest

from qemu_board.errors import BoardError
from qemu_board.kernel import LINUX, check_hunks

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
    for patch in (LINUX / "patches").rglob("*.patch"):
        check_hunks(patch)


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
