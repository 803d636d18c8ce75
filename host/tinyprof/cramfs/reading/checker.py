# SPDX-License-Identifier: MIT
"""Checks a CramFS image: bytes in, a report of everything in it that is broken or that a kernel
misreads out.

Unlike the reader it does not stop at the first fault. It follows fs/cramfs/inode.c, and for the
kernel that the image is meant for it knows what that kernel gets wrong (docs/images.md lists every
rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tinyprof.cramfs.format import (
    BOOT_PAD,
    CRC_OFFSET,
    DIRENT_READ,
    SUPER_SIZE,
    EntryKind,
    ImageError,
    Superblock,
    SuperFlag,
    image_crc,
    unpack_superblock,
)
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.blocks import (
    Block,
    chained_blocks,
    inflate,
    inflates_whole,
    locate_blocks,
    read_pointers,
)
from tinyprof.cramfs.reading.directory import ROOT_INODE_AT, Entry, walk_directories
from tinyprof.pages import PAGE_SIZE

Progress = Callable[[int, int], None]
"""Called with contents done and contents in all."""


class Rule(StrEnum):
    """What can be wrong. docs/images.md says of each what a kernel does with it."""

    SUPERBLOCK = "superblock"
    CRC = "crc"
    ROOT = "root"
    COUNT = "count"
    DIRECTORY = "directory"
    ORDER = "order"
    TWICE = "twice"
    IDENTITY = "identity"
    END = "end"
    SYMLINK = "symlink"
    BLOCKS = "blocks"
    FLAGS = "flags"
    DATA = "data"
    TAIL = "tail"
    OVERLAP = "overlap"
    LAST_PAGE = "last-page"
    SHARED_PAGE = "shared-page"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: at which byte of the image, under which path. `error`: the kernel fails or
    misreads."""

    rule: Rule
    path: str
    at: int
    message: str
    error: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """All findings in the order in which they were met, and how much was looked at."""

    findings: tuple[Finding, ...]
    entries: int = 0
    contents: int = 0
    pages: int = 0

    @property
    def errors(self) -> int:
        return sum(finding.error for finding in self.findings)


@dataclass(slots=True)
class _Check:
    """What the stages share: the image, the findings so far, and which bytes belong to what."""

    data: memoryview
    superblock: Superblock
    kernel: KernelModel
    findings: list[Finding] = field(default_factory=list)
    extents: dict[tuple[int, int], str] = field(default_factory=dict)
    raw: set[tuple[int, int]] = field(default_factory=set)
    extended: bool = False
    holes: bool = False
    pages: int = 0

    def error(self, rule: Rule, path: str, at: int, message: str) -> None:
        self.findings.append(Finding(rule, path, at, message))

    def warn(self, rule: Rule, path: str, at: int, message: str) -> None:
        self.findings.append(Finding(rule, path, at, message, error=False))


def check_image(
    data: bytes | memoryview,
    kernel: KernelModel = "patched",
    offset: int = 0,
    *,
    contents: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Check the image at byte `offset`. With `contents`, every page is decompressed too.

    Never raises for a bad image: what cannot be a CramFS image at all has one finding, SUPERBLOCK.
    """
    view = memoryview(data)[offset:]
    try:
        superblock = unpack_superblock(view)
    except ImageError as error:
        return Report((Finding(Rule.SUPERBLOCK, "", offset, str(error)),))
    check = _Check(view[: superblock.size], superblock, kernel)
    _check_superblock(check)
    entries = _check_directories(check)
    distinct = _distinct_contents(entries)
    for done, entry in enumerate(distinct, 1):
        _check_content(check, entry, contents)
        if progress:
            progress(done, len(distinct))
    _check_blocks(check)
    _check_flags(check)
    _check_overlaps(check)
    return Report(tuple(check.findings), len(entries), len(distinct), check.pages)


def _check_superblock(check: _Check) -> None:
    superblock = check.superblock
    if superblock.flags & SuperFlag.FSID_VERSION_2:
        found = image_crc(check.data, superblock.offset)
        if found != superblock.fsid.crc:
            message = f"CRC is {found:08x}, the superblock says {superblock.fsid.crc:08x}"
            check.error(Rule.CRC, "", superblock.offset + CRC_OFFSET, message)
    if superblock.flags & SuperFlag.WRONG_SIGNATURE:
        check.warn(Rule.SUPERBLOCK, "", superblock.offset, "flagged as having a wrong signature")
    root = superblock.root.offset
    shifted = superblock.flags & SuperFlag.SHIFTED_ROOT_OFFSET
    if root not in (0, SUPER_SIZE, BOOT_PAD + SUPER_SIZE) and not shifted:
        message = f"the root stands at byte {root} without the flag for it: no kernel mounts this"
        check.error(Rule.ROOT, "/", superblock.offset + ROOT_INODE_AT, message)
    check.extents[superblock.offset, superblock.offset + SUPER_SIZE] = "the superblock"


def _check_directories(check: _Check) -> list[Entry]:
    def problem(path: str, at: int, message: str) -> None:
        check.error(Rule.DIRECTORY, path, at, message)

    try:
        entries = walk_directories(check.data, check.superblock, problem)
    except ImageError as error:
        check.error(Rule.DIRECTORY, "/", check.superblock.offset, str(error))
        return []
    for entry in entries:
        if entry.kind is EntryKind.DIRECTORY and entry.size and not entry.ino & 3:
            check.extents.setdefault((entry.ino, entry.ino + entry.size), f"{entry.path}'s names")
    _check_names(check, entries)
    _check_end(check, entries)
    _check_identity(check, entries)
    files = check.superblock.fsid.files
    if check.superblock.flags & SuperFlag.FSID_VERSION_2 and files != len(entries):
        message = f"the superblock counts {files} files, the image has {len(entries)}"
        check.warn(Rule.COUNT, "", check.superblock.offset, message)
    return entries


def _check_names(check: _Check, entries: Iterable[Entry]) -> None:
    """Names of one directory, which the walk meets in the order they are stored in: sorted, and
    each once."""
    is_sorted = bool(check.superblock.flags & SuperFlag.SORTED_DIRS)
    last: dict[str, bytes] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.path == "/":
            continue
        directory, _, text = entry.path.rpartition("/")
        name = text.encode("utf-8", "surrogateescape")
        before = last.get(directory, b"")
        last[directory] = name
        if entry.path in seen:
            check.error(Rule.TWICE, entry.path, entry.at, "its directory has this name twice")
        elif is_sorted and name < before:
            message = "stands after a greater name in a sorted directory: lookup does not find it"
            check.error(Rule.ORDER, entry.path, entry.at, message)
        seen.add(entry.path)


def _check_end(check: _Check, entries: Iterable[Entry]) -> None:
    limit = len(check.data) - DIRENT_READ
    for entry in entries:
        if entry.at > limit and entry.path != "/":
            message = (
                f"its name stands in the last {DIRENT_READ} bytes of the image, "
                "which a kernel that maps the flash reads as zeros (cramfs_direct_read)"
            )
            check.error(Rule.END, entry.path, entry.at, message)


def _check_identity(check: _Check, entries: Iterable[Entry]) -> None:
    """A kernel has one inode for each number, made from the entry that it meets first
    (iget_locked())."""
    first: dict[int, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.ino, entry)
        if (entry.mode, entry.uid, entry.gid, entry.size) != (
            other.mode,
            other.uid,
            other.gid,
            other.size,
        ):
            message = (
                f"has the inode number of {other.path}, but another mode, owner or size: one "
                "hides the other"
            )
            check.error(Rule.IDENTITY, entry.path, entry.at, message)


def _distinct_contents(entries: Iterable[Entry]) -> list[Entry]:
    contents = {
        (entry.ino, entry.size): entry
        for entry in reversed(list(entries))
        if entry.size and entry.kind.has_blocks
    }
    return list(reversed(contents.values()))


def _check_content(check: _Check, entry: Entry, contents: bool) -> None:
    if entry.kind is EntryKind.SYMLINK and entry.size >= PAGE_SIZE:
        check.error(
            Rule.SYMLINK, entry.path, entry.at, f"a link of {entry.size} bytes is cut to one page"
        )
    try:
        pointers = read_pointers(check.data, check.superblock.byte_order, entry.ino, entry.size)
        compressed = _chained(check, entry, pointers)
        if compressed is None:
            compressed = _placed(check, entry, pointers)
    except ImageError as error:
        check.error(Rule.BLOCKS, entry.path, entry.ino, error.message)
        return
    check.pages += len(pointers)
    if contents:
        whole_pages = entry.size // PAGE_SIZE
        for index, start, stored in compressed:
            # Almost all pages are whole and sound; only for the others there is something to say.
            if index >= whole_pages or not inflates_whole(check.data[start : start + stored]):
                _check_page(check, entry, index, start, stored)


_Stored = Iterable[tuple[int, int, int]]
"""Page index, first byte and size of each compressed block."""


def _chained(check: _Check, entry: Entry, pointers: Sequence[int]) -> _Stored | None:
    """The blocks of a table without extended pointers, checked at once; None for any other
    table."""
    chained = chained_blocks(entry.ino, pointers, len(check.data))
    if chained is None:
        return None
    starts, sizes = chained
    check.extents.setdefault((entry.ino, pointers[-1]), entry.path)
    if 0 in sizes:
        check.holes = True
        return [block for block in zip(range(len(sizes)), starts, sizes, strict=True) if block[2]]
    return zip(range(len(sizes)), starts, sizes, strict=True)


def _placed(check: _Check, entry: Entry, pointers: Sequence[int]) -> _Stored:
    """The blocks of any table, each looked at by itself."""
    order = check.superblock.byte_order
    blocks = locate_blocks(check.data, order, entry.ino, entry.size, pointers)
    check.extents.setdefault(
        (entry.ino, entry.ino + 4 * len(pointers)), f"{entry.path}'s block pointers"
    )
    for block in blocks:
        check.extended |= block.direct or block.uncompressed
        check.holes |= block.hole
        if not block.hole:
            head = 2 if block.direct and not block.uncompressed else 0
            extent = (block.offset - head, block.offset + block.stored)
            check.extents.setdefault(extent, entry.path)
            if block.uncompressed:
                check.raw.add(extent)
    _check_last_page(check, entry, blocks[-1])
    return [
        (index, block.offset, block.stored)
        for index, block in enumerate(blocks)
        if not block.uncompressed and not block.hole
    ]


def _check_last_page(check: _Check, entry: Entry, last: Block) -> None:
    if not (last.direct and last.uncompressed):
        return
    if entry.size % PAGE_SIZE == 0:
        message = (
            f"page {entry.pages - 1}, whole and last, is in place: a stock kernel's "
            "read() gives zeros"
        )
        if check.kernel == "patched":
            check.warn(Rule.LAST_PAGE, entry.path, last.offset, message)
        else:
            check.error(Rule.LAST_PAGE, entry.path, last.offset, message)
    elif last.offset % PAGE_SIZE == 0 and not last.in_place:
        message = (
            f"page {entry.pages - 1}, the last, has other data behind it: it is not "
            "mapped in place"
        )
        check.warn(Rule.SHARED_PAGE, entry.path, last.offset, message)


def _check_page(check: _Check, entry: Entry, index: int, start: int, stored: int) -> None:
    whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
    try:
        page = inflate(check.data[start : start + stored], index)
    except ImageError as error:
        check.error(Rule.DATA, entry.path, start, error.message)
        return
    if len(page) < whole:
        message = f"page {index} decompresses to {len(page)} bytes, not {whole}: zeros follow"
        check.error(Rule.DATA, entry.path, start, message)
    elif any(page[whole:]):
        message = f"page {index} holds more than the file's {whole} bytes: a mapping shows them"
        check.warn(Rule.TAIL, entry.path, start, message)


def _check_blocks(check: _Check) -> None:
    """The tracer has room for so many pages as the superblock counts
    (firmware/linux/overlay/fs/cramfs)."""
    blocks = check.superblock.fsid.blocks
    if check.superblock.flags & SuperFlag.FSID_VERSION_2 and blocks < check.pages:
        message = f"the superblock counts {blocks} blocks, the image's files have {check.pages}"
        check.warn(Rule.COUNT, "", check.superblock.offset, message)


def _check_flags(check: _Check) -> None:
    flags, at = check.superblock.flags, check.superblock.offset
    if check.extended and not flags & SuperFlag.EXT_BLOCK_POINTERS:
        message = (
            "has extended block pointers without the flag: kernels before 4.15 misread it, none "
            "maps in place"
        )
        check.error(Rule.FLAGS, "", at, message)
    if check.holes and not flags & (SuperFlag.HOLES | SuperFlag.EXT_BLOCK_POINTERS):
        check.warn(Rule.FLAGS, "", at, "has holes without the flag for them")


def _check_overlaps(check: _Check) -> None:
    """What shares bytes must be the same block; pages in place that begin together are, if one is
    shorter."""
    end, owner, before = 0, "", (0, 0)
    for extent in sorted(check.extents):
        same_page = extent[0] == before[0] and extent in check.raw and before in check.raw
        if extent[0] < end and not same_page:
            message = f"overlaps what belongs to {owner}"
            check.error(Rule.OVERLAP, check.extents[extent], extent[0], message)
        if extent[1] > end:
            end, owner = extent[1], check.extents[extent]
        before = extent
