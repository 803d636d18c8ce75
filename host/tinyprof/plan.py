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
from tinyprof.records import Kind


@dataclass(frozen=True, slots=True)
class HotPlan:
    """Pages to store in place by path, and the profiled files that the tree has not, or not the same."""

    pages: dict[str, list[int]]
    stale: tuple[str, ...]


def plan_hot(profile: Profile, tree: Tree) -> HotPlan:
    """All pages that pay, in files whose content was profiled, under whatever path.

    Stale is a path of which no profiled content is left: a merged profile may hold several of one path.
    """
    contents = _contents(profile, tree)
    pages: dict[str, list[int]] = {}
    for file in profile.files:
        if path := contents.get((file.sha256, file.size)):
            pages[path] = sorted(index for index, use in file.pages.items() if pays(use))
    fresh = {file.path for file in profile.files if (file.sha256, file.size) in contents}
    return HotPlan(pages, tuple(sorted({file.path for file in profile.files} - fresh)))


def _contents(profile: Profile, tree: Tree) -> dict[tuple[str, int], str]:
    """A path for each profiled content that the tree holds; one is enough, as equal files share blocks."""
    wanted = {(file.sha256, file.size) for file in profile.files}
    sizes = {size for _, size in wanted}
    contents: dict[tuple[str, int], str] = {}
    for node in tree.files():
        if node.size in sizes:
            contents.setdefault((hashlib.sha256(node.content()).hexdigest(), node.size), node.path)
    return {content: contents[content] for content in wanted & contents.keys()}


def pays(use: PageUse) -> bool:
    """Whether storing the page in place saves RAM."""
    return bool(use.by_kind[Kind.EXEC] or use.by_kind[Kind.READ])


def plan_all(tree: Tree) -> dict[str, list[int]]:
    """Every page of every ELF file: the most that can be in place."""
    elf = (node for node in tree.files() if node.content().startswith(b"\x7fELF"))
    return {node.path: list(range(node.pages)) for node in elf}
