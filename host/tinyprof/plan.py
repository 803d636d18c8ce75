# SPDX-License-Identifier: MIT
"""The plan: a profile and a tree in, the pages to store in place out.

A page pays for its flash if it was mapped and not only written: a private page about to be copied, and a
page that only read() touched, go through the page cache wherever they are stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tinyprof.cramfs import Tree
from tinyprof.profile import PageUse, Profile


@dataclass(frozen=True, slots=True)
class HotPlan:
    """Pages to store in place by path, and the profiled files that the tree has not, or not the same."""

    pages: dict[str, list[int]]
    stale: tuple[str, ...]


def plan_hot(profile: Profile, tree: Tree) -> HotPlan:
    """All pages that pay, in files that are what they were when they were profiled."""
    nodes = {node.path: node for node in tree.files()}
    pages: dict[str, list[int]] = {}
    stale: list[str] = []
    for file in profile.files:
        node = nodes.get(file.path)
        if node is None or hashlib.sha256(node.content()).hexdigest() != file.sha256:
            stale.append(file.path)
            continue
        pages[file.path] = sorted(index for index, use in file.pages.items() if pays(use))
    return HotPlan(pages, tuple(stale))


def pays(use: PageUse) -> bool:
    """Whether storing the page in place saves RAM."""
    return "x" in use.kinds or "r" in use.kinds


def plan_all(tree: Tree) -> dict[str, list[int]]:
    """Every page of every ELF file: the most that can be in place."""
    elf = (node for node in tree.files() if node.content().startswith(b"\x7fELF"))
    return {node.path: list(range(node.pages)) for node in elf}
