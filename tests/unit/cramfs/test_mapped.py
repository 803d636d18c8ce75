# SPDX-License-Identifier: MIT
"""The pages that each kernel would map of a finished image: told by the image alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from support.profile_cases import program_head
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel, mapped_pages
from tinyprof.cramfs.mapped import mapped_by_path, with_mapped
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.measure import measure
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

TEXT_PAGES = 10


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A program of ten pages of text and one of data, and a data file of two pages and a bit."""
    top = tmp_path / "tree"
    top.mkdir()
    head = program_head(TEXT_PAGES)
    rest = b"".join(page.to_bytes(4, "little") * (PAGE_SIZE // 4) for page in range(1, 11))
    (top / "program").write_bytes(head.ljust(PAGE_SIZE, b"\0") + rest)
    (top / "data").write_bytes(b"data" * (PAGE_SIZE // 2) + b"end")
    return Tree.from_directory(top)


def built(tree: Tree, pages: Mapping[str, Collection[int]], kernel: KernelModel) -> Image:
    return read_image(write_image(tree, pages, WriteOptions(kernel=kernel)).image)


@pytest.mark.parametrize(
    ("pages", "mapped"),
    [
        (range(TEXT_PAGES), (10, 10, 10)),
        (range(3), (3, 3, 0)),
        ((0, 1, 4, 7), (4, 2, 0)),
        ((4, 7), (2, 0, 0)),
        ((), (0, 0, 0)),
    ],
)
def test_each_kernel_maps_its_own_part_of_the_pages_in_place(
    tree: Tree, pages: Collection[int], mapped: tuple[int, int, int]
) -> None:
    image = built(tree, {"/program": pages}, "patched")
    share = measure(image)
    assert (share.in_place_pages, tuple(share.mapped.values())) == (len(pages), mapped)
    for kernel, count in zip(KERNEL_MODELS, mapped, strict=True):
        found = mapped_by_path(image, kernel).get("/program", frozenset())
        assert len(found) == count
        assert found <= set(pages)


@pytest.mark.parametrize("kernel", KERNEL_MODELS)
def test_an_image_built_for_a_kernel_is_mapped_by_it_as_a_whole(
    tree: Tree, kernel: KernelModel
) -> None:
    wanted = {"/program": [0, 1, 2, 3, 6], "/data": [0, 1, 2]}
    share = measure(built(tree, wanted, kernel))
    assert share.in_place_pages
    assert share.mapped[kernel] == share.in_place_pages


def test_a_stock_kernel_stops_where_pages_do_not_stand_behind_one_another() -> None:
    head = program_head(TEXT_PAGES)
    size = 11 * PAGE_SIZE
    places = {page: (100 + page) * PAGE_SIZE for page in range(TEXT_PAGES)}
    assert len(mapped_pages("mainline", head, size, places)) == TEXT_PAGES
    places[4] += 40 * PAGE_SIZE
    assert mapped_pages("mainline", head, size, places) == frozenset(range(4))
    assert mapped_pages("nommu", head, size, places) == frozenset()
    assert mapped_pages("patched", head, size, places) == frozenset(range(TEXT_PAGES))


def test_a_check_warns_of_pages_in_place_that_the_kernel_does_not_map(tree: Tree) -> None:
    written = write_image(tree, {"/program": [0, 4, 7]}, WriteOptions()).image
    image = read_image(written)
    report = with_mapped(check_image(written, "mainline"), image, "mainline")
    assert (report.errors, report.in_place, report.mapped) == (0, 3, 1)
    (finding,) = report.findings
    assert finding.rule is Rule.UNMAPPED
    assert "of 3 pages in place a stock kernel maps 1" in finding.message
    assert not with_mapped(check_image(written), image, "patched").findings
