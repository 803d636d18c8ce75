# SPDX-License-Identifier: MIT
"""Finds the parts of a program that a loader maps: the first bytes of a file in, parts out.

It knows ELF of both classes and byte orders, and bFLT of systems without an MMU. A file is
untrusted. A broken one has no parts, because a loader refuses it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tinyprof.cramfs.elf import (
    ELF_MAGIC,
    PF_W,
    PF_X,
    PT_LOAD,
    TABLE_MAX,
    SegmentHeader,
    read_header,
)
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.pages import PAGE_SIZE, pages_in

FLAT_MAGIC = b"bFLT"
HEAD_SIZE = 4096
"""Bytes. Linkers put the program headers right after the ELF header, in a file's first page."""

EM_RISCV = 243
FLAT_LOADED = 1 | 4
"""FLAT_FLAG_RAM and FLAT_FLAG_GZIP of linux/flat.h. A loader copies such text to RAM."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pages `first` up to, not including, `end` of a file that one mapping shows."""

    first: int
    end: int
    writable: bool
    executable: bool

    @property
    def pages(self) -> range:
        """The pages of the part."""
        return range(self.first, self.end)

    def goes_on_in(self, other: Part) -> bool:
        """Whether `other` begins at the page where this part ends, with equal permissions."""
        alike = (self.writable, self.executable) == (other.writable, other.executable)
        return alike and self.end == other.first


def head_of(node: Node) -> bytes:
    """The first bytes of a file, up to the end of its program headers, for mapped_parts()."""
    return head_by(node.head, node.size)


def head_in(data: bytes) -> bytes:
    """The first bytes of a file whose bytes are `data`, for mapped_parts()."""
    return head_by(lambda count: data[:count], len(data))


def head_by(first: Callable[[int], bytes], size: int) -> bytes:
    """The first bytes of a file of `size` bytes, for mapped_parts(). `first` gives as many of them
    as it is asked for."""
    head = first(HEAD_SIZE)
    found = read_header(head)
    if found is None:
        return head
    _, header = found
    end = header.phoff + header.phentsize * header.phnum
    return first(end) if HEAD_SIZE < end <= size else head


def machine_of(head: bytes) -> int:
    """e_machine of the ELF file that begins with `head`; 0 for any other."""
    if not head.startswith(ELF_MAGIC) or len(head) < 20:
        return 0
    return int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")


def mapped_parts(head: bytes, size: int) -> tuple[Part, ...] | None:
    """The mapped parts of a file of `size` bytes that begins with `head`. None: it is no
    program."""
    if head.startswith(ELF_MAGIC):
        return _elf_parts(head, size)
    if head.startswith(FLAT_MAGIC) and len(head) >= 40:
        return _flat_parts(head, size)
    return None


def _elf_parts(head: bytes, size: int) -> tuple[Part, ...] | None:
    found = read_header(head)
    if found is None:
        return ()
    layout, header = found
    if header.phentsize * header.phnum > TABLE_MAX:
        return ()
    try:
        segments = [
            layout.segment_at(head, header.phoff + number * header.phentsize)
            for number in range(header.phnum)
        ]
    except (struct.error, OverflowError):
        return ()
    parts = [_elf_part(segment, size) for segment in segments]
    loads = tuple(part for part in parts if part is not None)
    # An object file, such as a kernel module, is read like any other file.
    return loads or None


def _elf_part(segment: SegmentHeader, size: int) -> Part | None:
    end = segment.offset + segment.filesz
    if segment.type != PT_LOAD or not segment.filesz or end > size:
        return None
    flags = segment.flags
    first = segment.offset // PAGE_SIZE
    return Part(first, pages_in(end), bool(flags & PF_W), bool(flags & PF_X))


def _flat_parts(head: bytes, size: int) -> tuple[Part, ...]:
    """The parts of a bFLT file (struct flat_hdr of linux/flat.h): its text, from the file's begin
    to data_start."""
    (data_start,) = struct.unpack_from(">I", head, 12)
    (flags,) = struct.unpack_from(">I", head, 36)
    if flags & FLAT_LOADED or not 0 < data_start <= size:
        return ()
    return (Part(0, pages_in(data_start), False, True),)


def executable_pages(node: Node) -> list[int]:
    """The pages of a program's loadable segments that are not writable. mkcramfs -X chooses the
    same."""
    if node.size < len(ELF_MAGIC):
        return []
    parts = mapped_parts(head_of(node), node.size) or ()
    return sorted({page for part in parts if not part.writable for page in part.pages})


def program_pages(tree: Tree) -> dict[str, list[int]]:
    """The executable_pages() of all programs of a tree, by path."""
    pages = {
        node.path: executable_pages(node) for node in tree.walk() if node.kind is EntryKind.FILE
    }
    return {path: found for path, found in pages.items() if found}
