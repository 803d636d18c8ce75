# SPDX-License-Identifier: MIT
"""Turns symbolic links into hard links: a tree in, a tree with fewer links out.

A symbolic link that is followed takes a page of page cache, for page_get_link() keeps its target
there. A hard link takes none, and no flash: it is a second directory entry of the same file.

Programs can see the difference:

1. readlink() and lstat() of such a name show a file.
2. A name that leads elsewhere on the running system (a mount over its target) no longer does.
3. The file's owner and mode are those of the target, as stat() showed them before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tinyprof.cramfs.format import EntryKind, name_text
from tinyprof.cramfs.tree import Node, Tree

LINKS_MAX = 40
"""Links that the kernel follows on one path at most (MAXSYMLINKS)."""


def with_hard_links(tree: Tree) -> tuple[Tree, dict[str, str]]:
    """Replace each symbolic link that leads to a regular file of the tree by a hard link to it.

    Links to directories, to devices, out of the tree and in a circle stay. Returns the new tree,
    and the path of the file by the path of each link that was replaced.
    """
    nodes = {node.path: node for node in tree.walk()}
    targets = link_targets(tree)
    made: dict[str, Node] = {}
    # Children stand behind their parents in walk(), so backwards they are made first.
    for path, node in reversed(nodes.items()):
        if path in targets:
            made[path] = replace(nodes[targets[path]], path=path)
        elif node.children:
            made[path] = replace(node, children=tuple(made[it.path] for it in node.children))
        else:
            made[path] = node
    return replace(tree, root=made[tree.root.path]), targets


def link_targets(tree: Tree) -> dict[str, str]:
    """The path of the regular file that each symbolic link leads to, by the link's path.

    Links that lead to no regular file of the tree are left out.
    """
    nodes = {node.path: node for node in tree.walk()}
    return {
        node.path: target
        for node in nodes.values()
        if node.kind is EntryKind.SYMLINK and (target := _target(node, nodes))
    }


def _target(link: Node, nodes: Mapping[str, Node]) -> str | None:
    """The path of the regular file that a link leads to, if it is one of `nodes`."""
    left = _parts(link)
    at = "/" if link.link.startswith(b"/") else link.path.rpartition("/")[0] or "/"
    followed = 1
    while left:
        part = left.pop()
        if nodes[at].kind is not EntryKind.DIRECTORY:
            # The kernel goes on from directories only, for a slash, a dot or two dots as well.
            return None
        if part in ("", "."):
            continue
        if part == "..":
            at = at.rpartition("/")[0] or "/"
            continue
        node = nodes.get(f"{at.rstrip('/')}/{part}")
        if node is None:
            return None
        if node.kind is not EntryKind.SYMLINK:
            at = node.path
            continue
        followed += 1
        if followed > LINKS_MAX:
            return None
        left += _parts(node)
        at = "/" if node.link.startswith(b"/") else at
    return at if nodes[at].kind is EntryKind.FILE else None


def _parts(link: Node) -> list[str]:
    """The names of a link's target, the first one last."""
    return name_text(link.link).split("/")[::-1]
