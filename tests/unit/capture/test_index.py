# SPDX-License-Identifier: MIT
"""The image index has everything that page ids need. Hostile bytes cannot abuse it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tinyprof.capture.index import (
    ImageIndex,
    ImageIndexError,
    IndexedLink,
    PageFlag,
    pack_index,
    unpack_index,
)
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.rootfs.indexing import index_image


def test_an_index_packed_and_unpacked_is_the_same(index: ImageIndex) -> None:
    assert unpack_index(pack_index(index)) == index


def test_it_tells_content_and_storage_of_every_page(rootfs: Path) -> None:
    (rootfs / "twin").write_bytes((rootfs / "program").read_bytes())
    (rootfs / "empty").touch()
    os.mkfifo(rootfs / "pipe")
    tree = Tree.from_directory(rootfs)
    image = read_image(write_image(tree, {"/program": [2]}, WriteOptions()).image)
    empty, program, twin = index_image(image).files
    assert (empty.path, empty.size, list(empty.page_ids)) == ("/empty", 0, [])
    assert (program.path, twin.path) == ("/program", "/twin")
    assert (
        program.sha256
        == twin.sha256
        == hashlib.sha256((rootfs / "program").read_bytes()).hexdigest()
    )
    assert program.page_ids == twin.page_ids
    in_place = [bool(flags & PageFlag.IN_PLACE) for flags in program.flags]
    assert in_place == [page == 2 for page in range(8)]
    assert program.stored[2] == 4096


def test_an_index_cut_anywhere_is_refused(index: ImageIndex) -> None:
    packed = pack_index(index)
    for size in range(len(packed)):
        with pytest.raises(ImageIndexError):
            unpack_index(packed[:size])
    with pytest.raises(ImageIndexError, match="goes on"):
        unpack_index(packed + b"\0")


def test_an_index_of_impossible_counts_costs_no_memory(image: Image) -> None:
    packed = pack_index(ImageIndex("little", 0, image.superblock.fsid, "", ()))
    with pytest.raises(ImageIndexError, match="cut short"):
        unpack_index(packed[:-4] + b"\xff\xff\xff\xff")


def test_links_are_indexed_once_for_each_inode(rootfs: Path) -> None:
    for name, target in (("sh", "program"), ("ash", "program"), ("far", "/usr/program")):
        (rootfs / name).symlink_to(target)
    image = read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)
    made = index_image(image)
    assert made.links is not None
    assert [(link.path, link.target) for link in made.links] == [
        ("/ash", "program"),
        ("/far", "/usr/program"),
    ]
    inodes = {entry.path: entry.ino for entry in image.entries}
    assert {link.ino for link in made.links} == {inodes["/ash"], inodes["/far"]}
    assert inodes["/ash"] == inodes["/sh"]
    assert unpack_index(pack_index(made)) == made


def test_an_index_of_an_older_capture_knows_no_links(index: ImageIndex) -> None:
    older = replace(index, links=None)
    assert unpack_index(pack_index(older)).links is None


def test_a_link_that_cannot_be_is_refused(index: ImageIndex) -> None:
    for link in (
        IndexedLink("sh", 4, "ash"),
        IndexedLink("/sh", 4, ""),
        IndexedLink("/", 4, "a\0"),
    ):
        with pytest.raises(ImageIndexError, match="impossible link"):
            unpack_index(pack_index(replace(index, links=(link,))))
