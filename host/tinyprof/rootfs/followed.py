# SPDX-License-Identifier: MIT
"""The symbolic links of a tree that are followed: a profile and a tree in, links by path out.

A symbolic link that is followed takes a page of page cache, wherever its target is stored: the
kernel's page_get_link() keeps it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tinyprof.cramfs.format import EntryKind, name_text
from tinyprof.cramfs.links import link_targets
from tinyprof.cramfs.tree import Tree
from tinyprof.profile.model import PageUse, Profile

_LIBRARY = re.compile(r"\.so\.[0-9][^/]*$")
"""The end of a name by which ld.so opens a library, or the kernel a program interpreter."""


def followed_links(
    profile: Profile, tree: Tree, used: Iterable[tuple[str, Mapping[int, PageUse], int]]
) -> dict[str, float]:
    """The links that are followed, each with the share of the steady state in which it is.

    1. Where a target told its links, those that the tree has are taken. Of a path that led
       elsewhere in another image, the link with the tree's target counts.
    2. Else the names of shared libraries that lead to a file with mapped pages. These are all
       followed. Links to programs may be too, so this is the least.

    `used` are the profiled files of the tree: path, used pages, epochs of their steady state.
    """
    if profile.links is not None:
        there = {
            node.path: name_text(node.link)
            for node in tree.walk()
            if node.kind is EntryKind.SYMLINK
        }
        told = [link for link in profile.links if link.path in there]
        # The last one of a path stays.
        told.sort(key=lambda link: link.target == there[link.path])
        return {
            link.path: _share(link.seen.steady, profile.steady_in(link.images)) for link in told
        }
    mapped = {
        path: _share(max(use.any.steady for use in pages.values()), steady)
        for path, pages, steady in used
        if any(use.mapped for use in pages.values())
    }
    return {
        path: mapped[target]
        for path, target in link_targets(tree).items()
        if target in mapped and _LIBRARY.search(path)
    }


def _share(steady: int, of: int) -> float:
    return min(1.0, steady / of) if of else 0.0
