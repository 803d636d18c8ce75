# SPDX-License-Identifier: MIT
"""Each kernel model takes the pages that its kernel maps, and says why it leaves others."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from support.elf_cases import Shape, for_riscv, link
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel, judge
from tinyprof.cramfs.programs import executable_pages, head_of, mapped_parts
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.split import Run, split

PROGRAM_SIZE = 8 * PAGE_SIZE + 100


def program(order: str = "<", wide: bool = False) -> bytes:
    """Text in pages 0 to 3, more text in pages 4 and 5, data from page 5 on."""
    loads = [
        (0, 4 * PAGE_SIZE, 5),
        (4 * PAGE_SIZE, PAGE_SIZE + 10, 4),
        (5 * PAGE_SIZE + 10, 3 * PAGE_SIZE, 6),
    ]
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]).ljust(12, b"\0")
    if wide:
        head = ident + struct.pack(
            f"{order}2HI3QI6H", 2, 183, 1, 0, 64, 0, 0, 64, 56, len(loads), 0, 0, 0
        )
        phdrs = [
            struct.pack(f"{order}2I6Q", 1, flags, at, at, at, size, size, 4096)
            for at, size, flags in loads
        ]
    else:
        head = ident + struct.pack(
            f"{order}2H5I6H", 2, 40, 1, 0, 52, 0, 0, 52, 32, len(loads), 0, 0, 0
        )
        phdrs = [
            struct.pack(f"{order}8I", 1, at, at, at, size, size, flags, 4096)
            for at, size, flags in loads
        ]
    return (head + b"".join(phdrs)).ljust(PAGE_SIZE, b"\0")


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_programs_of_both_classes_and_orders_are_understood(order: str, wide: bool) -> None:
    parts = mapped_parts(program(order, wide), PROGRAM_SIZE)
    assert parts is not None
    assert [(part.first, part.end, part.writable) for part in parts] == [
        (0, 4, False),
        (4, 6, False),
        (5, 9, True),
    ]


def verdict(
    kernel: KernelModel, wanted: set[int], head: bytes = b"", size: int = PROGRAM_SIZE
) -> set[int]:
    judged = judge(kernel, head or program(), size, wanted)
    assert set(judged.in_place) | set(judged.refused) == wanted
    return set(judged.in_place)


def test_a_patched_kernel_maps_any_page() -> None:
    assert verdict("patched", {1, 3, 7, 8}) == {1, 3, 7, 8}


def test_a_stock_kernel_maps_the_leading_run_of_each_mapping() -> None:
    assert verdict("mainline", {0, 1, 3, 4, 5, 6}) == {0, 1, 4, 5}


def test_a_stock_kernel_maps_nothing_without_the_first_page() -> None:
    assert verdict("mainline", {1, 2, 3}) == set()


def test_without_an_mmu_a_segment_is_whole_or_not_at_all() -> None:
    assert verdict("nommu", {0, 1, 2, 4, 5}) == {4, 5}


@pytest.mark.parametrize("kernel", ["mainline", "nommu"])
def test_a_data_file_is_one_mapping(kernel: KernelModel) -> None:
    assert verdict(kernel, {0, 1, 2}, b"data", 2 * PAGE_SIZE + 1) == {0, 1, 2}


def test_a_whole_last_page_is_left_to_kernels_that_read_it() -> None:
    assert verdict("mainline", {0, 1}, b"data", 2 * PAGE_SIZE) == {0}
    assert verdict("nommu", {0, 1}, b"data", 2 * PAGE_SIZE) == set()
    assert verdict("patched", {0, 1}, b"data", 2 * PAGE_SIZE) == {0, 1}


def test_the_text_of_a_flat_binary_is_one_segment() -> None:
    head = b"bFLT" + struct.pack(">9I", 4, 64, 2 * PAGE_SIZE, 0, 0, 0, 0, 0, 0)
    assert verdict("nommu", {0, 1, 2}, head, PROGRAM_SIZE) == {0, 1}


@pytest.mark.parametrize(
    ("flags", "mapped"), [(0, True), (1, False), (2, True), (4, False), (8, True), (16, True)]
)
def test_only_a_flat_binary_that_is_loaded_to_ram_has_no_mapping(flags: int, mapped: bool) -> None:
    """FLAT_FLAG_RAM, GOTPIC, GZIP, GZDATA and KTRACE of linux/flat.h."""
    head = b"bFLT" + struct.pack(">9I", 4, 64, 2 * PAGE_SIZE, 0, 0, 0, 0, 0, flags)
    assert verdict("nommu", {0, 1}, head, PROGRAM_SIZE) == ({0, 1} if mapped else set())


@pytest.mark.parametrize("cut", [4, 20, 51, 60, 100])
def test_a_broken_program_has_no_segments(cut: int) -> None:
    assert mapped_parts(program()[:cut], PROGRAM_SIZE) == ()


@pytest.mark.parametrize(
    ("kernel", "useful"),
    [("patched", {0, 7, 8}), ("mainline", {0, 7, 8}), ("nommu", set(range(9)))],
)
def test_a_risc_v_kernel_has_no_code_in_place(kernel: KernelModel, useful: set[int]) -> None:
    """Page 0 holds headers, pages 1 to 6 code, 7 and 8 read-only data."""
    data = for_riscv(link(Shape()))
    judged = judge(kernel, data, len(data), range(9))
    assert set(judged.in_place) == useful
    assert all("flush_icache_pte" in reason for reason in judged.refused.values())


@pytest.mark.parametrize("kernel", KERNEL_MODELS)
def test_a_mended_risc_v_kernel_has_the_code_in_place_that_others_have(
    kernel: KernelModel,
) -> None:
    data = link(Shape())
    judged = judge(kernel, for_riscv(data), len(data), range(9), riscv_code=True)
    assert judged == judge(kernel, data, len(data), range(9))


def test_a_piece_of_a_split_segment_is_a_mapping_of_its_own_if_its_first_page_is_in_place() -> (
    None
):
    data = split(link(Shape(pages=20, separate=False, gap=1500)), [Run(4, 5), Run(9, 9)]).elf
    assert verdict("mainline", {0, 4, 5, 9, 12}, data, len(data)) == {0, 4, 5, 9}
    # A piece that begins with a cold page is one mapping with the pieces behind it.
    assert verdict("mainline", {4, 5, 9}, data, len(data)) == set()
    assert verdict("mainline", {0, 5, 9}, data, len(data)) == {0}


def test_program_headers_far_behind_the_first_page_are_found(tmp_path: Path) -> None:
    data = split(link(Shape(pages=20, separate=False, gap=1500)), [Run(4, 5)]).elf
    (tmp_path / "program").write_bytes(data)
    (node,) = Tree.from_directory(tmp_path).files()
    assert mapped_parts(head_of(node), node.size) == mapped_parts(data, len(data))
    assert executable_pages(node) == list(range(21))
