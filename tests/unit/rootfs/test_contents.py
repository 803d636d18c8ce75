# SPDX-License-Identifier: MIT
"""The files that a profile is about: found in an image or a tree, and only if they are the very
same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from support.elf_cases import Shape, link
from tinyprof.cramfs.programs import HEAD_SIZE, mapped_parts
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.errors import TinyprofError
from tinyprof.profile.model import FileUse
from tinyprof.rootfs.contents import Contents, Reader, contents_of_image, contents_of_tree
from tinyprof.segments.split import Run, split

PROGRAM = link(Shape(pages=6))


def use(data: bytes, path: str = "/program") -> FileUse:
    return FileUse(path, len(data), hashlib.sha256(data).hexdigest(), {}, ())


def image_of(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/program").write_bytes(data)
    path = tmp_path / "image"
    path.write_bytes(write_image(Tree.from_directory(tmp_path / "root"), {}, WriteOptions()).image)
    return path


def test_an_image_and_its_tree_have_the_same_files(tmp_path: Path) -> None:
    image = image_of(tmp_path, PROGRAM)
    for contents in (contents_of_image(image), contents_of_tree(tmp_path / "root")):
        assert contents.head(use(PROGRAM)) == PROGRAM[:HEAD_SIZE]
        names = contents.names(use(PROGRAM))
        assert names
        assert ".text" in [section.name for section in names.sections]


def test_another_version_and_another_path_are_not_there(tmp_path: Path) -> None:
    contents = contents_of_image(image_of(tmp_path, PROGRAM))
    assert contents.names(use(PROGRAM + b"x")) is None
    assert contents.head(use(PROGRAM + b"x")) is None
    assert contents.names(use(PROGRAM, "/../../program")) is None


def test_a_split_program_counts_as_what_it_was_made_of(tmp_path: Path) -> None:
    done = split(PROGRAM, (Run(3, 3),))
    assert done.elf != PROGRAM
    contents = contents_of_image(image_of(tmp_path, done.elf))
    assert contents.head(use(PROGRAM)) == PROGRAM[:HEAD_SIZE]


def test_the_head_of_a_program_goes_on_to_the_end_of_its_headers(tmp_path: Path) -> None:
    data = split(link(Shape(pages=20, separate=False, gap=1500)), (Run(4, 5),)).elf
    head = contents_of_image(image_of(tmp_path, data)).head(use(data))
    assert head
    assert mapped_parts(head, len(data)) == mapped_parts(data, len(data))


def test_nothing_is_read_before_the_first_question_and_no_file_twice() -> None:
    read: list[str] = []

    def program() -> bytes:
        read.append("/program")
        return PROGRAM

    def load() -> dict[str, Reader]:
        read.append("all")
        return {"/program": program}

    contents = Contents(load)
    assert not read
    for _ in range(3):
        contents.names(use(PROGRAM))
        contents.head(use(PROGRAM))
    assert read == ["all", "/program", "/program"]


def test_what_is_no_image_is_an_error_that_names_itself(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"no image" * 100)
    with pytest.raises(TinyprofError):
        contents_of_image(tmp_path / "image").names(use(PROGRAM))
