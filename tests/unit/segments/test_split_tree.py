# SPDX-License-Identifier: MIT
"""A tree split for a stock kernel: what is worth it is split, the rest keeps what it can, and all
is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from support.elf_cases import PAGE, Shape, for_riscv, link
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.compressor import choose_compressor
from tinyprof.cramfs.writing.packer import compressed_size_of
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.segments.elf import Elf
from tinyprof.segments.split import Run, split, undo
from tinyprof.segments.split_tree import Prices, SplitTree, split_tree

ORDINARY = Shape(pages=40, separate=False, gap=1500)
CHEAP = Prices(flash=0.5, processes=1, start=0)
SIZES = compressed_size_of(choose_compressor(6, False), None)


def made(
    root: Path,
    pages: Mapping[str, Collection[int]],
    prices: Prices = CHEAP,
    max_runs: int | None = None,
) -> SplitTree:
    return split_tree(Tree.from_directory(root), pages, SIZES, prices, max_runs)


def content(tree: SplitTree, path: str) -> bytes:
    (node,) = (node for node in tree.tree.files() if node.path == path)
    return node.content()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/program").write_bytes(link(ORDINARY))
    (tmp_path / "notes").write_bytes(bytes(3 * PAGE))
    return tmp_path


def test_scattered_pages_are_split_and_the_folder_is_not_touched(root: Path) -> None:
    before = (root / "bin/program").read_bytes()
    tree = made(root, {"/bin/program": [0, 12, 13, 30]})
    (file,) = tree.files
    assert (file.path, file.mappings) == ("/bin/program", 2)
    assert list(tree.pages["/bin/program"]) == [0, 12, 13, 30]
    assert undo(content(tree, "/bin/program")) == before
    assert (root / "bin/program").read_bytes() == before


def test_code_that_a_kernel_must_not_map_from_flash_is_left_whole_and_in_ram(root: Path) -> None:
    (root / "bin/program").write_bytes(for_riscv(link(ORDINARY)))
    tree = made(root, {"/bin/program": [0, 12, 13, 30]})
    assert tree.files == ()
    assert tree.whole["/bin/program"].startswith("not on this architecture: a RISC-V kernel")
    written = write_image(tree.tree, tree.pages, WriteOptions(kernel="mainline"))
    assert written.in_place == {}


def test_what_the_plan_puts_in_place_the_writer_does(root: Path) -> None:
    """The writer knows what a stock kernel maps, so this holds both to one rule."""
    tree = made(root, {"/bin/program": [3, 12, 13, 30]})
    written = write_image(tree.tree, tree.pages, WriteOptions(kernel="mainline"))
    assert written.refused == ()
    assert written.in_place["/bin/program"] == frozenset(tree.pages["/bin/program"])
    image = read_image(written.image)
    (entry,) = (entry for entry in image.entries if entry.path == "/bin/program")
    assert image.read(entry) == content(tree, "/bin/program")


def test_a_gap_is_bridged_where_a_mapping_is_dear_and_the_pages_are_told(root: Path) -> None:
    tree = made(root, {"/bin/program": [0, 1, 4, 30]}, Prices(flash=0.125, processes=20, start=0))
    (file,) = tree.files
    assert file.bridged == (2, 3)
    assert file.lonely == ()


def test_a_mapping_is_weighed_for_the_processes_that_are_known_to_map_the_file(root: Path) -> None:
    pages = {"/bin/program": [0, 1, 4, 30]}
    prices = Prices(flash=0.125, processes=20, start=0)
    tree = Tree.from_directory(root)
    (few,) = split_tree(tree, pages, SIZES, prices, processes={"/bin/program": 1}).files
    assert (few.processes, few.mappings, few.bridged) == (1, 2, ())
    (unknown,) = split_tree(tree, pages, SIZES, prices, processes={"/bin/other": 1}).files
    assert (unknown.processes, unknown.mappings, unknown.bridged) == (None, 1, (2, 3))


def test_a_page_that_is_not_worth_a_mapping_stays_compressed_and_is_told(root: Path) -> None:
    tree = made(
        root, {"/bin/program": [0, 1, 20, 21, 38]}, Prices(flash=0.25, processes=30, start=1500)
    )
    (file,) = tree.files
    assert file.lonely == (38,)
    assert 38 not in tree.pages["/bin/program"]


def test_no_more_runs_than_allowed(root: Path) -> None:
    pages = {"/bin/program": range(0, 40, 4)}
    for most in (1, 2, 5):
        tree = made(root, pages, max_runs=most)
        assert sum(file.mappings for file in tree.files) == most - 1


def test_files_of_one_content_stay_one_content(root: Path) -> None:
    (root / "bin/twin").write_bytes((root / "bin/program").read_bytes())
    tree = made(root, {"/bin/program": [0, 12, 30]})
    assert content(tree, "/bin/twin") == content(tree, "/bin/program")
    assert tree.pages["/bin/twin"] == tree.pages["/bin/program"]


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (replace(ORDINARY, dynamic=((22, 0),)), "text relocations"),
        (replace(ORDINARY, kind="loader", gap=0), "no place for the program headers"),
        (replace(ORDINARY, tail=b"~Module signature appended~\n"), "signed"),
    ],
)
def test_what_is_left_whole_keeps_its_leading_run_and_the_reason_is_told(
    root: Path, shape: Shape, why: str
) -> None:
    (root / "bin/program").write_bytes(link(shape))
    tree = made(root, {"/bin/program": [0, 1, 3, 20]})
    assert tree.files == ()
    assert why in tree.whole["/bin/program"]
    assert content(tree, "/bin/program") == link(shape)
    assert set(tree.pages["/bin/program"]) == {0, 1, 2, 3}


def test_a_checksum_beside_a_file_is_respected(root: Path) -> None:
    (root / "bin/.program.hmac").write_text("0123")
    tree = made(root, {"/bin/program": [0, 20]})
    assert tree.whole == {"/bin/program": "signed: /bin/.program.hmac holds a checksum of it"}


def test_a_file_that_is_split_already_is_split_anew_or_put_back(root: Path) -> None:
    original = (root / "bin/program").read_bytes()
    (root / "bin/program").write_bytes(split(original, [Run(0, 0), Run(7, 7)]).elf)
    anew = made(root, {"/bin/program": [0, 20]})
    assert content(anew, "/bin/program") == split(original, [Run(0, 0), Run(20, 20)]).elf
    back = made(root, {"/bin/program": [0, 1]})
    assert content(back, "/bin/program") == original


def test_files_that_are_no_programs_keep_their_pages(root: Path) -> None:
    tree = made(root, {"/notes": [1], "/gone": [0]})
    assert dict(tree.pages) == {"/notes": [1], "/gone": [0]}
    assert tree.files == ()


def test_hard_links_and_copies_of_one_file_are_counted_once(root: Path) -> None:
    (root / "bin/link").hardlink_to(root / "bin/program")
    (root / "bin/signed").write_bytes(
        link(replace(ORDINARY, tail=b"~Module signature appended~\n"))
    )
    (root / "bin/signed too").write_bytes((root / "bin/signed").read_bytes())
    tree = made(root, {"/bin/program": [0, 12, 30], "/bin/link": [0, 12, 30], "/bin/signed": [5]})
    assert [file.path for file in tree.files] == ["/bin/link", "/bin/program"]
    assert [file.path for file in tree.split_once] == ["/bin/link"]
    assert set(tree.whole) == {"/bin/signed", "/bin/signed too"}
    assert tree.whole_once == ("/bin/signed",)


def test_an_error_that_is_not_the_files_is_not_taken_for_the_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> Elf:
        raise ModuleNotFoundError("a library is missing")

    monkeypatch.setattr("tinyprof.segments.split_tree.read_elf", fail)
    with pytest.raises(ModuleNotFoundError):
        made(root, {"/bin/program": [0, 12, 30]})
