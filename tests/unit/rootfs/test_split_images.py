# SPDX-License-Identifier: MIT
"""A profile speaks of programs, whether the image that was recorded held them split or not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.elf_cases import PAGE, Shape, link
from tinyprof.capture.index import ImageIndex, ImageIndexError, Source, pack_index, unpack_index
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.rootfs.indexing import index_image
from tinyprof.rootfs.match import match
from tinyprof.segments.split import Run, split
from tinyprof.wire.messages import EpochEnd, Hello, Pages, Volume

CaptureOf = Callable[..., CaptureReader]

PROGRAM = link(Shape(pages=20, separate=False, gap=0))
"""Without room for a longer table, so splitting it adds a page."""

SPLIT = split(PROGRAM, [Run(4, 5), Run(9, 9)]).elf


def tree_of(folder: Path, data: bytes) -> Tree:
    folder.mkdir()
    (folder / "program").write_bytes(data)
    return Tree.from_directory(folder)


def index_of(tree: Tree) -> ImageIndex:
    return index_image(read_image(write_image(tree, {}, WriteOptions()).image))


def profile_of(capture_of: CaptureOf, index: ImageIndex, pages: list[int]) -> Profile:
    volume = Volume(1, index.fsid, index.size, index.name, True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE, b"1st boot", 1000, 1, (volume,))
    ids = tuple(index.files[0].page_ids[page] for page in pages)
    messages = [
        hello,
        Pages(1, 1, 5, ids, bytes(len(ids))),
        EpochEnd(1, 1, 9, (len(ids), 0, 0, 0)),
    ]
    return make_profile([capture_of(messages, index)])


def test_the_index_keeps_what_a_file_was_beside_what_is_stored(tmp_path: Path) -> None:
    index = index_of(tree_of(tmp_path / "split", SPLIT))
    (file,) = index.files
    assert (file.size, file.sha256) == (len(SPLIT), hashlib.sha256(SPLIT).hexdigest())
    assert file.source == Source(len(PROGRAM), hashlib.sha256(PROGRAM).hexdigest())
    assert unpack_index(pack_index(index)) == index


def test_an_index_without_split_files_is_as_it_always_was(tmp_path: Path) -> None:
    index = index_of(tree_of(tmp_path / "whole", PROGRAM))
    assert index.files[0].source is None
    assert pack_index(index)[0] & 4 == 0


def test_an_impossible_source_is_refused(tmp_path: Path) -> None:
    # The sources come last in an index without links.
    index = replace(index_of(tree_of(tmp_path / "split", SPLIT)), links=None)
    packed = bytearray(pack_index(index))
    for at, value in ((-40, 1), (-36, len(SPLIT) + 1)):
        broken = bytearray(packed)
        broken[at : len(broken) + at + 4] = value.to_bytes(4, "little")
        with pytest.raises(ImageIndexError, match="impossible source"):
            unpack_index(bytes(broken))
    for size in range(len(packed) - 44, len(packed)):
        with pytest.raises(ImageIndexError, match="cut short"):
            unpack_index(bytes(packed[:size]))


def test_both_images_give_one_profile_and_added_pages_are_nobodys(
    tmp_path: Path, capture_of: CaptureOf
) -> None:
    whole, parted = (
        index_of(tree_of(tmp_path / n, d)) for n, d in (("whole", PROGRAM), ("split", SPLIT))
    )
    pages = -(-len(PROGRAM) // PAGE)
    assert len(parted.files[0].page_ids) > pages
    of_whole = profile_of(capture_of, whole, [0, 4, 9])
    of_split = profile_of(capture_of, parted, [0, 4, 9, pages])
    files = [replace(profile.files[0], images=()) for profile in (of_whole, of_split)]
    assert files[0] == files[1]
    assert len(of_whole.files) == len(of_split.files) == 1
    assert of_split.unknown_pages == 0


def test_a_profile_of_either_fits_a_tree_of_either(tmp_path: Path, capture_of: CaptureOf) -> None:
    trees = [tree_of(tmp_path / n, d) for n, d in (("whole", PROGRAM), ("split", SPLIT))]
    for recorded in trees:
        profile = profile_of(capture_of, index_of(recorded), [0, 4, 9])
        for tree in trees:
            found = match(profile, tree)
            assert [(file.node.path, sorted(file.uses)) for file in found.files] == [
                ("/program", [0, 4, 9])
            ]
            assert found.stale == ()
