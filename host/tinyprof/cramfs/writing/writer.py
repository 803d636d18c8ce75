# SPDX-License-Identifier: MIT
"""Writes a CramFS image: a tree and the pages to store in place in, bytes out.

1. Superblock and directories come first.
2. Each content follows with its block pointers and compressed blocks.
3. All pages in place come last, in one aligned region, so that alignment is paid once.

The same input gives the same bytes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tinyprof.cramfs.format import (
    BOOT_PAD,
    CRC_OFFSET,
    DEPTH_MAX,
    DIRENT_READ,
    FILE_MAX,
    INODE_OFFSET_MAX,
    INODE_SIZE,
    PATH_MAX,
    SUPER_SIZE,
    ByteOrder,
    EntryKind,
    Inode,
    Superblock,
    SuperFlag,
    TreeError,
    name_bytes,
    paths_max,
)
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.streams import crc32
from tinyprof.cramfs.tree import Node, Tree, refuse_over, refuse_owner
from tinyprof.cramfs.writing.compressor import Compress, CompressorName, choose_compressor
from tinyprof.cramfs.writing.layout import Layout, refuse_large
from tinyprof.cramfs.writing.packer import (
    BlockCache,
    BlockSizes,
    CheckedBlocks,
    Packed,
    Wish,
    pack,
)
from tinyprof.cramfs.writing.region import Region
from tinyprof.cramfs.writing.survey import Placement, Refusal, Survey, keys_in, survey
from tinyprof.pages import PAGE_SIZE, Fsid

Progress = Callable[[int, int], None]
"""Called with the number of pages that are done, and of all pages."""

IMAGE_NAME_MAX = 16
"""Bytes of an image's name."""

OWN_MEMORY = 1 << 20
"""Bytes. glibc gives a block of this size a mapping of its own, and grows it by mremap()."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The way to write an image.

    - `kernel` decides over the pages that may be in place.
    - `riscv_code`: the kernel can map code of RISC-V programs too (kernel.maps_no_code()).
    - `level` is the effort of compression, 1 to 12; `zopfli` is more than 12
      (choose_compressor()).
    - `extended` permits block pointers of Linux 4.15 even where no page is in place. Then equal
      pages are stored once, and pages that compression does not make smaller as they are.
    - `holes`: pages of zeros take no space.
    - `pad`: 512 bytes for boot code come first.
    - `insert`: bytes that are put behind the superblock.
    - `threads`: 0 is one for each core. The image does not depend on it.
    - `compressor`: None is default_compressor(). For images that are the same on every machine,
      name one.
    """

    name: str = "Compressed"
    level: int = 6
    edition: int = 0
    byte_order: ByteOrder = "little"
    kernel: KernelModel = "patched"
    extended: bool = False
    holes: bool = False
    pad: bool = False
    insert: bytes = b""
    zopfli: bool = False
    threads: int = 0
    compressor: CompressorName | None = None
    riscv_code: bool = False

    def compress(self) -> Compress:
        """The compressor. Raises CompressorError."""
        return choose_compressor(self.level, self.zopfli, self.compressor)


@dataclass(frozen=True, slots=True)
class Written:
    """The image and an account of its pages.

    `xip_pages` counts the pages stored in place, once where several files share one. `in_place`
    has the pages in place by path. `refused` has the pages that the plan wants and that are not.
    """

    image: bytes
    xip_pages: int
    refused: tuple[Refusal, ...]
    in_place: Mapping[str, frozenset[int]] = field(default_factory=dict)


def write_image(
    tree: Tree,
    plan: Placement,
    options: WriteOptions,
    progress: Progress | None = None,
    cache: BlockCache | None = None,
) -> Written:
    """Build an image. Pages that may not be in place are listed in the result.

    `cache` holds compressed blocks of earlier builds at the same level. Raises TreeError for a
    tree that CramFS cannot hold, and for a file that cannot be read or changes meanwhile.
    """
    nodes = _nodes_of(tree, options)
    extended = options.extended or any(plan.values())
    found = survey(
        nodes,
        plan,
        options.kernel,
        keyed=extended,
        keys_of=_keys_of(cache),
        riscv_code=options.riscv_code,
    )
    extended = options.extended or any(content.in_place for content in found.contents)
    image = _Image(nodes, found, options, extended)
    for packed in _packed(found, options, extended, progress, cache):
        image.add(packed)
    return image.finished()


def image_size_of(tree: Tree, options: WriteOptions, sizes: BlockSizes) -> int:
    """Bytes of the image without pages in place. `sizes` has the blocks of a build of this tree.

    Raises TreeError as write_image() does.
    """
    nodes = _nodes_of(tree, options)
    found = survey(nodes, {}, options.kernel, keyed=options.extended, keys_of=sizes.keys_of)
    image = _Image(nodes, found, options, options.extended)
    sizes.measuring = True
    for packed in _packed(found, options, options.extended, None, sizes):
        image.add(packed)
    return image.finished_size()


def write_both(
    tree: Tree,
    options: WriteOptions,
    cache: BlockCache | None,
    progress: Progress | None = None,
) -> tuple[bytes, bytes]:
    """The images without pages in place: as `options` have it, and with extended block pointers.

    Every content is read once for both. Raises TreeError as write_image() does.
    """
    nodes = _nodes_of(tree, options)
    found = survey(nodes, {}, options.kernel, keyed=True, keys_of=_keys_of(cache))
    images = [_Image(nodes, found, options, extended) for extended in (options.extended, True)]
    for packed in _packed(found, options, True, progress, cache):
        images[0].add(packed if options.extended else replace(packed, pages={}))
        images[1].add(packed)
    return images[0].finished().image, images[1].finished().image


def _keys_of(cache: BlockCache | None) -> Callable[[Node], list[bytes]]:
    return cache.keys_of if isinstance(cache, CheckedBlocks) else keys_in


def _nodes_of(tree: Tree, options: WriteOptions) -> list[Node]:
    """The nodes of an image. Raises TreeError for anything that CramFS cannot hold."""
    if len(name_bytes(options.name)) > IMAGE_NAME_MAX:
        raise TreeError(f"image name {options.name!r}: cramfs holds at most 16 bytes")
    nodes = list(tree.walk())
    for node in nodes:
        refuse_node(node)
    return nodes


class _Image:
    """An image in the making: its head and directories are placed, contents are added."""

    def __init__(
        self, nodes: list[Node], found: Survey, options: WriteOptions, extended: bool
    ) -> None:
        self._nodes, self._found, self._options = nodes, found, options
        self._directories = [node for node in nodes if node.kind is EntryKind.DIRECTORY]
        self._out = _growing_buffer()
        insert = len(options.insert) + -len(options.insert) % 4
        self._head = (BOOT_PAD if options.pad else 0) + SUPER_SIZE + insert
        self._offsets, end = _place_directories(self._directories, self._head)
        self._out.seek(end)
        self._region = Region(by_page=options.kernel == "patched")
        self._layout = _layout(self._out, found, self._region, options, extended)
        self._tables: dict[int, int] = {}

    def add(self, packed: Packed) -> None:
        """Lay a content out."""
        self._tables[id(packed.content)] = self._layout.add(packed)

    def finished(self) -> Written:
        """The image with all contents."""
        self._finish()
        in_place = {
            path: frozenset(content.in_place)
            for path, content in self._found.of_path.items()
            if content.in_place
        }
        return Written(self._out.getvalue(), len(self._region), self._found.refused, in_place)

    def finished_size(self) -> int:
        """Bytes of the image with all contents."""
        self._finish()
        return self._out.seek(0, io.SEEK_END)

    def _finish(self) -> None:
        self._layout.close()
        self._offsets.update(
            (path, (self._tables[id(content)], content.node.size))
            for path, content in self._found.of_path.items()
        )
        order = self._options.byte_order
        _write_directories(self._out, self._directories, self._offsets, self._head, order)
        _finish(
            self._out,
            self._head,
            self._nodes,
            self._offsets,
            self._found,
            self._layout,
            self._options,
        )


def refuse_node(node: Node) -> None:
    """Raise TreeError for a node that CramFS cannot hold, or that no reader of ours would take."""
    refuse_owner(node.path, node.uid, node.gid)
    refuse_over(node.path, "size in bytes", node.size, FILE_MAX)
    refuse_over(node.path, "length of the path", len(node.path), PATH_MAX)
    if node.kind is EntryKind.DIRECTORY:
        refuse_over(node.path, "depth in directories", node.path.count("/"), DEPTH_MAX)


def _refuse_long(nodes: list[Node], size: int) -> None:
    total = sum(len(node.path) for node in nodes)
    if total > paths_max(size):
        raise TreeError(
            f"all paths together have {total} characters, over {paths_max(size)}",
            "give long directories shorter names",
        )


def _growing_buffer() -> io.BytesIO:
    """An empty buffer with memory of its own, so that growing leaves no holes between other
    objects."""
    buffer = io.BytesIO()
    buffer.write(bytes(OWN_MEMORY))
    buffer.seek(0)
    buffer.truncate()
    return buffer


def _layout(
    out: io.BytesIO, found: Survey, region: Region, options: WriteOptions, extended: bool
) -> Layout:
    if not extended:
        return Layout(out, options.byte_order, region, (), ())
    region_keys = {content.keys[index] for content in found.contents for index in content.in_place}
    shared = {key for key, count in found.page_counts().items() if count > 1}
    return Layout(out, options.byte_order, region, shared, region_keys)


def _packed(
    found: Survey,
    options: WriteOptions,
    extended: bool,
    progress: Progress | None,
    cache: BlockCache | None,
) -> Iterator[Packed]:
    """Every content with its blocks."""

    def skip(page: bytes) -> bool:
        return options.holes and not any(page)

    compress = options.compress()
    wish = Wish(compress, skip, extended, cache, options.threads)
    total = sum(content.node.pages for content in found.contents)
    done = 0
    for packed in pack(found.contents, wish):
        yield packed
        if progress:
            done += packed.content.node.pages
            progress(done, total)


_Offsets = dict[str, tuple[int, int]]
"""The byte and the size of the data that an inode points to, by path."""


def _place_directories(directories: list[Node], start: int) -> tuple[_Offsets, int]:
    """The places of the directories' names, one behind the other, and the byte after the last."""
    offsets: _Offsets = {}
    at = start
    for directory in directories:
        size = sum(INODE_SIZE + len(_padded(child.name)) for child in directory.children)
        if size > FILE_MAX:
            raise TreeError(
                f"{directory.path}: its names take {size} bytes, cramfs holds at most {FILE_MAX}"
            )
        if at > INODE_OFFSET_MAX:
            raise TreeError(
                f"{directory.path}: its names would begin beyond 256 MiB of the image, where no "
                "inode of cramfs points",
                "leave files out",
            )
        # The root's place is where the kernel looks for it, empty or not.
        offsets[directory.path] = (at if size or directory.path == "/" else 0, size)
        at += size
    return offsets, at


def _padded(name: bytes) -> bytes:
    return name + bytes(-len(name) % 4)


def _write_directories(
    out: io.BytesIO, directories: list[Node], offsets: _Offsets, start: int, order: ByteOrder
) -> None:
    out.seek(start)
    for directory in directories:
        for child in directory.children:
            out.write(_inode(child, offsets).pack(order) + _padded(child.name))


def _names_readable_to(nodes: list[Node], offsets: _Offsets) -> int:
    """The least size of an image in which no name stands too near to the end.

    A kernel that maps the flash reads DIRENT_READ bytes for a name, or zeros.
    """
    filled = [node for node in nodes if node.children]
    if not filled:
        return 0
    last = max(filled, key=lambda node: offsets[node.path])
    at, size = offsets[last.path]
    return at + size - INODE_SIZE - len(_padded(last.children[-1].name)) + DIRENT_READ


def _inode(node: Node, offsets: _Offsets) -> Inode:
    offset, size = offsets.get(node.path, (0, node.device))
    return Inode(node.mode, node.uid, size, node.gid, len(_padded(node.name)) // 4, offset)


def _finish(
    out: io.BytesIO,
    head: int,
    nodes: list[Node],
    offsets: _Offsets,
    found: Survey,
    layout: Layout,
    options: WriteOptions,
) -> None:
    """Pad to whole pages and fill in the superblock. The CRC leaves out the boot code."""
    size = max(out.seek(0, io.SEEK_END), head, _names_readable_to(nodes, offsets))
    size += -size % PAGE_SIZE
    refuse_large(size)
    _refuse_long(nodes, size)
    out.write(bytes(size - out.tell()))
    flags = SuperFlag.FSID_VERSION_2 | SuperFlag.SORTED_DIRS
    for flag, used in (
        (SuperFlag.EXT_BLOCK_POINTERS, layout.extended),
        (SuperFlag.HOLES, layout.holes),
        (SuperFlag.SHIFTED_ROOT_OFFSET, options.insert),
    ):
        flags |= flag if used else 0
    at = BOOT_PAD if options.pad else 0
    blocks = sum(content.node.pages for content in found.contents)
    fsid = Fsid(0, options.edition, blocks, len(nodes))
    root = _inode(nodes[0], offsets)
    superblock = Superblock(options.byte_order, size, flags, fsid, options.name, root, at)
    out.seek(at)
    out.write(superblock.pack() + options.insert)
    with out.getbuffer() as image:
        prefix = "<" if options.byte_order == "little" else ">"
        struct.pack_into(f"{prefix}I", image, at + CRC_OFFSET, crc32(image[at:]))
