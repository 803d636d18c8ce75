# SPDX-License-Identifier: MIT
"""Writes a CramFS image: a tree and the pages to store in place in, bytes out.

Superblock and directories come first, then each content with its block pointers and compressed blocks, then
all pages in place in one aligned region, so that alignment is paid once. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import deflate

from tinyprof.cramfs.format import (
    BLOCK_DIRECT,
    BLOCK_UNCOMPRESSED,
    CRC_OFFSET,
    FILE_MAX,
    INODE_OFFSET_MAX,
    INODE_SIZE,
    PAGE_SIZE,
    SUPER_SIZE,
    ByteOrder,
    EntryKind,
    Fsid,
    Inode,
    Superblock,
    SuperFlag,
    TreeError,
)
from tinyprof.cramfs.tree import Node, Tree

Plan = Mapping[str, Collection[int]]
"""Which pages go in place: page indices by absolute path."""

Progress = Callable[[int, int], None]
"""Called with contents done and contents in all."""

INDIRECT_MAX = 1 << 30
"""An indirect block pointer holds a byte offset in 30 bits."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """`level` is libdeflate's, 1 to 12; `kernel` decides which pages may be in place."""

    name: str = "Compressed"
    level: int = 9
    edition: int = 0
    byte_order: ByteOrder = "little"
    kernel: Literal["patched", "mainline"] = "patched"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A page that the plan wants in place and that is not, and why."""

    path: str
    page: int
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """The image; `xip_pages` counts pages stored in place, once where several files share one."""

    image: bytes
    xip_pages: int
    refused: tuple[Refusal, ...]


@dataclass(slots=True)
class _Content:
    """One distinct content: its pages, compressed or to be in place, and where its table went."""

    node: Node
    wanted: set[int] = field(default_factory=set)
    compressed: list[bytes] = field(default_factory=list)
    in_place: dict[int, bytes] = field(default_factory=dict)
    offset: int = 0


def write_image(tree: Tree, plan: Plan, options: WriteOptions, progress: Progress | None = None) -> Written:
    """Build an image. Raises TreeError for a tree that does not fit; lists pages that may not be in place."""
    nodes = list(tree.walk())
    contents, content_of, refused = _contents(nodes, plan, options)
    _compress(contents, options.level, progress)
    directories, data_start = _place_directories(tree)
    body, region = _place_contents(contents, data_start, options.byte_order)
    image = bytearray(SUPER_SIZE)
    inodes = _inodes(nodes, directories, content_of)
    for directory in directories:
        for child in sorted(directory.children, key=lambda child: child.name):
            image += inodes[child.path].pack(options.byte_order) + _padded(child.name)
    image += body
    xip_pages = len(region) // PAGE_SIZE
    if region:
        image += bytes(-len(image) % PAGE_SIZE) + region
    image += bytes(-len(image) % PAGE_SIZE)
    _finish(image, nodes, inodes["/"], bool(region), options)
    return Written(bytes(image), xip_pages, refused)


def _contents(
    nodes: list[Node], plan: Plan, options: WriteOptions
) -> tuple[list[_Content], dict[str, _Content], tuple[Refusal, ...]]:
    """The distinct contents in the order of the walk, those of each path, and the pages refused.

    Files with one content share it, with the pages that any of them wants in place.
    """
    distinct: dict[bytes, _Content] = {}
    content_of: dict[str, _Content] = {}
    refused: list[Refusal] = []
    for node in nodes:
        if node.kind not in (EntryKind.FILE, EntryKind.SYMLINK) or not node.size:
            continue
        digest = hashlib.sha256(node.content()).digest()
        content = content_of[node.path] = distinct.setdefault(digest, _Content(node))
        if node.kind is EntryKind.FILE:
            for page in sorted(set(plan.get(node.path, ()))):
                reason = _why_not(node, page, options)
                if reason:
                    refused.append(Refusal(node.path, page, reason))
                else:
                    content.wanted.add(page)
    known = {node.path for node in nodes if node.kind is EntryKind.FILE}
    gone = [
        Refusal(path, page, "no such file") for path in sorted(plan.keys() - known) for page in plan[path]
    ]
    return list(distinct.values()), content_of, tuple(refused + gone)


def _why_not(node: Node, page: int, options: WriteOptions) -> str:
    if not 0 <= page < node.pages:
        return "beyond the end of the file"
    if options.kernel == "mainline" and page == node.pages - 1 and node.size % PAGE_SIZE == 0:
        return "a whole last page stored in place reads as zeros on a stock kernel (cramfs_read_folio)"
    return ""


def _compress(contents: list[_Content], level: int, progress: Progress | None) -> None:
    def one(content: _Content) -> None:
        data = content.node.content()
        for index in range(content.node.pages):
            page = data[index * PAGE_SIZE : (index + 1) * PAGE_SIZE]
            if index in content.wanted:
                content.in_place[index] = page.ljust(PAGE_SIZE, b"\0")
                content.compressed.append(b"")
            else:
                content.compressed.append(bytes(deflate.zlib_compress(page, level)))

    # libdeflate works without the interpreter's lock.
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(one, contents), 1):
            if progress:
                progress(done, len(contents))


def _place_directories(tree: Tree) -> tuple[list[Node], int]:
    """Directories in the order they are stored, and the byte after the last of them."""
    directories = [node for node in tree.walk() if node.kind is EntryKind.DIRECTORY]
    return directories, SUPER_SIZE + sum(_directory_size(node) for node in directories)


def _directory_size(node: Node) -> int:
    size = sum(INODE_SIZE + len(_padded(child.name)) for child in node.children)
    if size > FILE_MAX:
        raise TreeError(f"{node.path}: its names take {size} bytes, cramfs holds at most {FILE_MAX}")
    return size


def _padded(name: bytes) -> bytes:
    return name + bytes(-len(name) % 4)


def _place_contents(contents: list[_Content], start: int, order: ByteOrder) -> tuple[bytes, bytes]:
    """Tables and compressed blocks from byte `start` on, and the region of pages in place."""
    slots: dict[bytes, int] = {}
    for content in contents:
        for page in content.in_place.values():
            slots.setdefault(page, len(slots))
    # The region's place depends on the size of what precedes it, and only pointers depend on the region.
    end = start
    for content in contents:
        end = len(_lay_out(content, end, slots, 0, order)) + end
    region = end + -end % PAGE_SIZE
    body = bytearray()
    for content in contents:
        content.offset = start + len(body)
        body += _lay_out(content, content.offset, slots, region, order)
    if content_past := next((c for c in contents if c.offset > INODE_OFFSET_MAX), None):
        raise TreeError(f"{content_past.node.path}: the image grows beyond 256 MiB", "leave files out")
    if region > INDIRECT_MAX:
        raise TreeError("the image grows beyond 1 GiB", "leave files out")
    return bytes(body), b"".join(slots)


def _lay_out(content: _Content, offset: int, slots: dict[bytes, int], region: int, order: ByteOrder) -> bytes:
    """A content's table and blocks, as they stand from byte `offset` (a multiple of 4) on.

    A block's start is the end of its predecessor, so one that follows a page in place must be direct.
    """
    pointers: list[int] = []
    at = offset + 4 * content.node.pages
    blocks = bytearray()
    chained = True
    for index, block in enumerate(content.compressed):
        page = content.in_place.get(index)
        if page is not None:
            pointers.append(region + slots[page] * PAGE_SIZE >> 2 | BLOCK_DIRECT | BLOCK_UNCOMPRESSED)
            chained = False
            continue
        if chained:
            blocks += block
            pointers.append(at + len(blocks))
            continue
        blocks += bytes(-(at + len(blocks)) % 4)
        pointers.append(at + len(blocks) >> 2 | BLOCK_DIRECT)
        blocks += len(block).to_bytes(2, order) + block
        chained = True
    prefix = "<" if order == "little" else ">"
    laid_out = struct.pack(f"{prefix}{len(pointers)}I", *pointers) + blocks
    return laid_out + bytes(-len(laid_out) % 4)


def _inodes(nodes: list[Node], directories: list[Node], content_of: dict[str, _Content]) -> dict[str, Inode]:
    offsets: dict[str, tuple[int, int]] = {}
    at = SUPER_SIZE
    for directory in directories:
        size = _directory_size(directory)
        offsets[directory.path] = (at if size else 0, size)
        at += size
    for path, content in content_of.items():
        offsets[path] = (content.offset, content.node.size)
    return {node.path: _inode(node, *offsets.get(node.path, (0, node.device))) for node in nodes}


def _inode(node: Node, offset: int, size: int) -> Inode:
    return Inode(node.mode, node.uid, size, node.gid, len(_padded(node.name)) // 4, offset)


def _finish(image: bytearray, nodes: list[Node], root: Inode, extended: bool, options: WriteOptions) -> None:
    """Fill in the superblock; the CRC is over the whole image with its own field zero."""
    flags = SuperFlag.FSID_VERSION_2 | SuperFlag.SORTED_DIRS
    if extended:
        flags |= SuperFlag.EXT_BLOCK_POINTERS
    blocks = sum(node.pages for node in nodes if node.kind in (EntryKind.FILE, EntryKind.SYMLINK))
    fsid = Fsid(0, options.edition, blocks, len(nodes))
    image[:SUPER_SIZE] = Superblock(options.byte_order, len(image), flags, fsid, options.name, root).pack()
    prefix = "<" if options.byte_order == "little" else ">"
    struct.pack_into(f"{prefix}I", image, CRC_OFFSET, zlib.crc32(image))
