# SPDX-License-Identifier: MIT
"""A finished image as a tree: an image and a profile in, nodes with the contents that the profile
may be about out.

So a profile is found in an image by the same rules as in a folder (match.py). Only files that the
profile may mean are unpacked.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import Image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.profile.model import Profile
from tinyprof.rootfs.match import without_digits


def tree_of_image(image: Image, profile: Profile) -> Tree:
    """The tree of an image. A file that the profile cannot mean, by its size and its path, has no
    content in it.

    Raises ImageError where a content is broken.
    """
    sizes = {file.size for file in profile.files}
    names = {without_digits(file.path) for file in profile.files}
    children: dict[str, list[Node]] = defaultdict(list)
    # The walk has parents first, so backwards children are made before their folder.
    for entry in reversed(image.entries):
        meant = entry.size in sizes or without_digits(entry.path) in names
        unpack = entry.kind is EntryKind.SYMLINK or (meant and entry.kind is EntryKind.FILE)
        node = _node(entry, image.read(entry) if unpack else b"")
        if entry.kind is EntryKind.DIRECTORY:
            node = replace(node, children=tuple(reversed(children[entry.path])))
        if entry.path == "/":
            return Tree(node)
        children[entry.path.rpartition("/")[0] or "/"].append(node)
    return Tree(Node("/", EntryKind.DIRECTORY, 0o755, 0, 0, 0))


def _node(entry: Entry, content: bytes) -> Node:
    mode, owner = entry.mode, (entry.uid, entry.gid)
    return Node(entry.path, entry.kind, mode, *owner, entry.size, entry.device, link=content)
