# SPDX-License-Identifier: MIT
"""Tells the pages that a kernel really maps from flash: an image in, pages by path or their number
out.

An image keeps no note of the kernel that it was built for. It needs none: its block pointers and
the segments of its programs decide what each kernel maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from tinyprof.cramfs.format import EntryKind, ImageError, SuperFlag
from tinyprof.cramfs.kernel import KERNEL_MODELS, KERNEL_WORDS, KernelModel, mapped_pages
from tinyprof.cramfs.programs import head_by
from tinyprof.cramfs.reading.blocks import Block
from tinyprof.cramfs.reading.directory import Entry, distinct_contents
from tinyprof.cramfs.reading.findings import Finding, Report, Rule
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE

Mapped = Mapping[KernelModel, int]
"""Number of pages in place that each kernel maps. A page that several files share counts once."""


def maps_in_place(image: Image) -> bool:
    """Whether the superblock has the flag that pages in place need."""
    return bool(image.superblock.flags & SuperFlag.EXT_BLOCK_POINTERS)


def places_of(blocks: Sequence[Block]) -> dict[int, int]:
    """The byte of the image at which each page in place of a file stands."""
    return {page: block.offset for page, block in enumerate(blocks) if block.in_place}


def head_of_entry(image: Image, entry: Entry) -> bytes:
    """The first bytes of a file in an image, for mapped_parts(). Raises ImageError."""

    def first(count: int) -> bytes:
        pages = islice(image.pages(entry), -(-count // PAGE_SIZE))
        return b"".join(page or bytes(PAGE_SIZE) for page in pages)[: min(count, entry.size)]

    return head_by(first, entry.size)


def mapped_of(
    image: Image,
    entry: Entry,
    places: Mapping[int, int],
    kernel: KernelModel,
    *,
    riscv_code: bool = False,
) -> frozenset[int]:
    """The pages of a file that a kernel maps. `places` are those of its pages in place.

    A program whose first page is broken is one that no kernel runs. Nothing of it is mapped.
    """
    if not places:
        return frozenset()
    try:
        head = head_of_entry(image, entry)
    except ImageError:
        return frozenset()
    return mapped_pages(kernel, head, entry.size, places, riscv_code=riscv_code)


def count_mapped(
    image: Image, contents: Iterable[tuple[Entry, Mapping[int, int]]], *, riscv_code: bool = False
) -> Mapped:
    """Number of pages that each kernel maps of `contents`, each with the places of its pages.

    `riscv_code`: see kernel.maps_no_code(). Without the flag for extended block pointers no kernel
    maps anything (Rule.FLAGS).
    """
    if not maps_in_place(image):
        return dict.fromkeys(KERNEL_MODELS, 0)
    found: dict[KernelModel, set[int]] = {kernel: set() for kernel in KERNEL_MODELS}
    for entry, places in contents:
        for kernel, seen in found.items():
            pages = mapped_of(image, entry, places, kernel, riscv_code=riscv_code)
            seen.update(places[page] for page in pages)
    return {kernel: len(seen) for kernel, seen in found.items()}


def mapped_by_path(
    image: Image, kernel: KernelModel, *, riscv_code: bool = False
) -> dict[str, frozenset[int]]:
    """The pages that a kernel maps from flash, by path. Files without any are left out.

    Raises ImageError for block pointers that are broken.
    """
    known: dict[tuple[int, int], frozenset[int]] = {}
    found: dict[str, frozenset[int]] = {}
    if not maps_in_place(image):
        return found
    for entry in image.entries:
        if entry.kind is not EntryKind.FILE or not entry.size:
            continue
        content = entry.ino, entry.size
        if content not in known:
            places = places_of(image.blocks(entry))
            known[content] = mapped_of(image, entry, places, kernel, riscv_code=riscv_code)
        if known[content]:
            found[entry.path] = known[content]
    return found


def contents_in_place(image: Image) -> Iterator[tuple[Entry, dict[int, int]]]:
    """Each content that has pages in place, with their places. Broken ones are passed over."""
    for entry in distinct_contents(image.entries):
        if entry.kind is not EntryKind.FILE:
            continue
        try:
            places = places_of(image.blocks(entry))
        except ImageError:
            continue
        if places:
            yield entry, places


def with_mapped(
    report: Report, image: Image, kernel: KernelModel, *, riscv_code: bool = False
) -> Report:
    """A report with the number of pages in place and of those that a kernel maps.

    If the kernel maps only a part of them, that is a warning. `riscv_code`: see
    kernel.maps_no_code().
    """
    if not maps_in_place(image):
        return report
    contents = list(contents_in_place(image))
    in_place = len({at for _, places in contents for at in places.values()})
    mapped = count_mapped(image, contents, riscv_code=riscv_code)[kernel]
    findings = report.findings
    if mapped < in_place:
        message = (
            f"of {in_place} pages in place {KERNEL_WORDS[kernel]} maps {mapped}: all others only "
            "make the image larger"
        )
        at = image.superblock.offset
        findings = (*findings, Finding(Rule.UNMAPPED, "", at, message, error=False))
    return replace(report, findings=findings, in_place=in_place, mapped=mapped)
