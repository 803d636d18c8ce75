# SPDX-License-Identifier: MIT
"""Checks a CramFS image: bytes in, a report of every fault in it out.

The check goes on after a fault. It follows fs/cramfs/inode.c, and it knows the mistakes of the
kernel that the image is meant for (docs/images.md lists every rule). However broken an image is,
time and memory are bounded by a multiple of its size, and the findings by FINDINGS_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tinyprof.cramfs.format import (
    BOOT_PAD,
    CRC_OFFSET,
    DIRENT_READ,
    SUPER_SIZE,
    EntryKind,
    ImageError,
    NoImageError,
    Superblock,
    SuperFlag,
    image_crc,
    name_bytes,
    superblock_fault,
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
from tinyprof.cramfs.reading.directory import (
    ROOT_INODE_AT,
    Entry,
    clashing_tables,
    distinct_contents,
    walk_directories,
)
from tinyprof.cramfs.reading.dump import find_images, not_at
from tinyprof.cramfs.reading.extents import Extents
from tinyprof.cramfs.reading.findings import FINDINGS_MAX, Finding, Report, Rule, no_image
from tinyprof.cramfs.reading.reader import other_blocks
from tinyprof.pages import PAGE_SIZE

Progress = Callable[[int, int], None]
"""Called with the number of contents that are done, and of all contents."""


@dataclass(slots=True)
class _Check:
    """The state that all stages share: the image, the findings so far, and the bytes in use.

    `sound` has the compressed blocks that are known to unpack to a whole page, for many files may
    share one.
    """

    data: memoryview
    superblock: Superblock
    kernel: KernelModel
    findings: list[Finding] = field(default_factory=list)
    extents: Extents = field(default_factory=Extents)
    sound: set[tuple[int, int]] = field(default_factory=set)
    extended: bool = False
    holes: bool = False
    pages: int = 0
    unlisted: int = 0
    unlisted_errors: int = 0

    def error(self, rule: Rule, path: str, at: int, message: str) -> None:
        """Add a finding: the kernel fails or misreads."""
        self._add(Finding(rule, path, at, message))

    def warn(self, rule: Rule, path: str, at: int, message: str) -> None:
        """Add a finding that does no harm by itself."""
        self._add(Finding(rule, path, at, message, error=False))

    def _add(self, finding: Finding) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
            return
        self.unlisted += 1
        self.unlisted_errors += finding.error


def check_image(
    data: bytes | memoryview,
    kernel: KernelModel = "patched",
    offset: int = 0,
    *,
    contents: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Check the image at byte `offset`. With `contents`, every page is decompressed too.

    Never raises for a bad image: bytes that cannot be a CramFS image have one finding, SUPERBLOCK.
    """
    view = memoryview(data)[offset:]
    try:
        superblock = unpack_superblock(view)
    except NoImageError as error:
        return no_image(not_at(error, offset, find_images(data)), offset)
    except ImageError as error:
        return no_image(error, offset)
    fault = superblock_fault(superblock, len(view))
    if fault:
        return no_image(fault, offset)
    check = _Check(view[: superblock.size], superblock, kernel)
    _check_superblock(check)
    entries = _check_directories(check)
    distinct = distinct_contents(entries)
    if not _check_block_size(check, entries):
        clashing = clashing_tables(entries, len(check.data))
        for done, entry in enumerate(distinct, 1):
            _check_content(check, entry, clashing.get((entry.ino, entry.size)), contents)
            if progress:
                progress(done, len(distinct))
    _check_blocks(check)
    _check_flags(check)
    for at, owner, other in check.extents.overlaps():
        check.error(Rule.OVERLAP, owner, at, f"overlaps what belongs to {other}")
    unlisted = check.unlisted, check.unlisted_errors
    return Report(tuple(check.findings), len(entries), len(distinct), check.pages, *unlisted)


def _check_block_size(check: _Check, entries: list[Entry]) -> bool:
    """Whether the blocks are too large for kernels with pages of 4 KiB: no file can be read."""
    fault = other_blocks(check.data, check.superblock, entries)
    if fault:
        check.error(Rule.BLOCK_SIZE, "", check.superblock.offset, str(fault))
    return fault is not None


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
    check.extents.add(superblock.offset, superblock.offset + SUPER_SIZE, "the superblock")


def _check_directories(check: _Check) -> list[Entry]:
    def problem(path: str, at: int, message: str) -> None:
        check.error(Rule.DIRECTORY, path, at, message)

    entries = walk_directories(check.data, check.superblock, problem)
    for entry in entries:
        if entry.kind is EntryKind.DIRECTORY and entry.size and not entry.ino & 3:
            end = min(entry.ino + entry.size, len(check.data))
            if entry.ino < end:
                check.extents.add(entry.ino, end, f"{entry.path}'s names")
    _check_names(check, entries)
    _check_end(check, entries)
    _check_identity(check, entries)
    files = check.superblock.fsid.files
    if check.superblock.flags & SuperFlag.FSID_VERSION_2 and files != len(entries):
        message = f"the superblock counts {files} files, the image has {len(entries)}"
        check.warn(Rule.COUNT, "", check.superblock.offset, message)
    return entries


def _check_names(check: _Check, entries: Iterable[Entry]) -> None:
    """Check that the names of each directory are sorted and that none stands twice.

    The walk meets the names of a directory in the order in which they are stored.
    """
    is_sorted = bool(check.superblock.flags & SuperFlag.SORTED_DIRS)
    last: dict[str, bytes] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.path == "/":
            continue
        directory, _, text = entry.path.rpartition("/")
        name = name_bytes(text)
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
    """Check that entries with one inode number agree.

    A kernel makes one inode for each number, from the entry that it meets first (iget_locked()).
    """
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


def _check_content(check: _Check, entry: Entry, clash: str | None, contents: bool) -> None:
    """Check one content; `clash` is the path whose block pointers it overlaps, if it does."""
    if entry.kind is EntryKind.SYMLINK and entry.size >= PAGE_SIZE:
        check.error(
            Rule.SYMLINK, entry.path, entry.at, f"a link of {entry.size} bytes is cut to one page"
        )
    if clash is not None:
        message = f"block pointers overlap those of {clash}: not looked at"
        check.error(Rule.OVERLAP, entry.path, entry.ino, message)
        return
    try:
        pointers = read_pointers(check.data, check.superblock.byte_order, entry.ino, entry.size)
        compressed = _chained(check, entry, pointers)
        placed = compressed is None
        if compressed is None:
            compressed = _placed(check, entry, pointers)
    except ImageError as error:
        check.error(Rule.BLOCKS, entry.path, entry.ino, error.message)
        return
    check.pages += len(pointers)
    if contents:
        whole_pages = entry.size // PAGE_SIZE
        for index, start, stored in compressed:
            # Almost all pages are whole and sound; only the others need a closer look.
            if index >= whole_pages or not _is_sound(check, start, stored, placed):
                _check_page(check, entry, index, start, stored)


def _is_sound(check: _Check, start: int, stored: int, placed: bool) -> bool:
    """Whether a block unpacks to a whole page. Only a block that is `placed` may be shared."""
    if placed and (start, stored) in check.sound:
        return True
    sound = inflates_whole(check.data[start : start + stored])
    if placed and sound:
        check.sound.add((start, stored))
    return sound


_Stored = Iterable[tuple[int, int, int]]
"""Page index, first byte and size of each compressed block."""


def _chained(check: _Check, entry: Entry, pointers: Sequence[int]) -> _Stored | None:
    """The blocks of a table without extended pointers, checked at once; None for any other
    table."""
    chained = chained_blocks(entry.ino, pointers, len(check.data))
    if chained is None:
        return None
    starts, sizes = chained
    check.extents.add(entry.ino, pointers[-1], entry.path)
    if 0 in sizes:
        check.holes = True
        return [block for block in zip(range(len(sizes)), starts, sizes, strict=True) if block[2]]
    return zip(range(len(sizes)), starts, sizes, strict=True)


def _placed(check: _Check, entry: Entry, pointers: Sequence[int]) -> _Stored:
    """The blocks of any table, each looked at by itself."""
    order = check.superblock.byte_order
    blocks = locate_blocks(check.data, order, entry.ino, entry.size, pointers)
    table = f"{entry.path}'s block pointers"
    check.extents.add(entry.ino, entry.ino + 4 * len(pointers), table)
    for block in blocks:
        check.extended |= block.direct or block.uncompressed
        check.holes |= block.hole
        if not block.hole:
            head = 2 if block.direct and not block.uncompressed else 0
            start, end = block.offset - head, block.offset + block.stored
            check.extents.add(start, end, entry.path, raw=block.uncompressed)
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
    """Check the number of blocks: the tracer has room for no more pages than the superblock counts
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
