# SPDX-License-Identifier: MIT
"""A guest's view of its images: the console of tests/target/guest/readback.c in, entries by path
out.

Many images go into one flash, each a partition of its own, and one boot looks at all of them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from target.booting import boot
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.blocks import Block
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.pages import PAGE_SIZE

FLASH_NAME = "40000000.flash"
"""The kernel's name of the board's flash (drivers/mtd/maps/physmap-core.c)."""

PARTITIONS_MAX = 90
"""The kernel's newpart() (drivers/mtd/parsers/cmdlinepart.c) calls itself for each partition:
about a hundred overflow its stack, before the console can say so."""

PROGRAM = "/sbin/readback"
COVERED = ("/dev", "/proc")
"""The folder of the booted volume on which the others are mounted."""

LINE = re.compile(r"entry (\d+) (\d+) (\d+) (\S+) (\w{8}) (\w{8}) (\d+) (\S+)")
INODE_SIZE = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """One name: `size` in bytes, or a device's numbers; CRC-32 by read() and by mmap(); pages from
    flash."""

    mode: int
    uid: int
    gid: int
    size: str
    by_read: str
    by_mmap: str
    in_place: int


Volume = dict[str, Seen]
"""By path, the root included."""


def see(root: Path, others: Sequence[Path] = (), *words: str) -> list[Volume]:
    """Boot the image `root`, whose /sbin/readback looks at it and at the others; what it saw of
    each."""
    flash, append = root, f"init={PROGRAM} quiet"
    if others:
        flash = root.with_suffix(".flash")
        flash.write_bytes(b"".join(image.read_bytes() for image in (root, *others)))
        sizes = ",".join(f"{image.stat().st_size // 1024}k" for image in (root, *others))
        append += f" volumes={len(others)} mtdparts={FLASH_NAME}:{sizes}"
        assert len(others) < PARTITIONS_MAX, "too many images for one boot"
    console = boot(flash, "--append", append, *words)
    assert "readback done" in console, console[-2000:]
    failed = re.findall(r"^.*failed.*$", console, re.MULTILINE)
    assert failed == [], failed[:5]
    _, *volumes = re.split(r"^volume \d+\r?$", console, flags=re.MULTILINE)
    return [_volume(said) for said in volumes]


def _volume(said: str) -> Volume:
    volume: Volume = {}
    for mode, uid, gid, size, by_read, by_mmap, in_place, path in LINE.findall(said):
        plain = re.sub(rb"\\(\d{3})", lambda match: bytes([int(match[1], 8)]), path.encode())
        name = plain.decode("utf-8", "surrogateescape")
        assert name not in volume, f"{name} is listed twice"
        volume[name] = Seen(
            int(mode, 8), int(uid), int(gid), size, by_read, by_mmap, int(in_place)
        )
    return volume


def expected(tree: Tree, image: bytes, kernel: KernelModel) -> Volume:
    """The entries that a kernel must show for an image of this tree."""
    in_place = in_place_of(image, kernel)
    return {
        node.path: replace(_expected(node), in_place=in_place.get(node.path, 0))
        for node in tree.walk()
    }


def expected_of_root(tree: Tree, image: bytes, kernel: KernelModel, seen: Volume) -> Volume:
    """The same for the booted volume, of whose own program some pages are in the page cache
    already."""
    wanted = expected(tree, image, kernel)
    for path in COVERED:
        wanted.pop(path, None)
    wanted[PROGRAM] = replace(wanted[PROGRAM], in_place=seen[PROGRAM].in_place)
    return wanted


def _expected(node: Node) -> Seen:
    crc = f"{zlib.crc32(node.content()) if node.kind.has_blocks else 0:08x}"
    size = str(node.size)
    if node.kind in (EntryKind.CHAR, EntryKind.BLOCK):
        size = f"{node.device >> 8}:{node.device & 255}"
    elif node.kind is EntryKind.DIRECTORY:
        # The kernel gives the bytes of its names.
        size = str(sum(INODE_SIZE + -(-len(child.name) // 4) * 4 for child in node.children))
    return Seen(node.mode, node.uid, node.gid, size, crc, crc, 0)


def in_place_of(image: bytes, kernel: KernelModel) -> dict[str, int]:
    """How many pages of each file a mapping of the whole file shows from flash."""
    parsed = read_image(image)
    files = [entry for entry in parsed.entries if entry.kind is EntryKind.FILE]
    return {entry.path: _mapped(parsed.blocks(entry), kernel) for entry in files}


def _mapped(blocks: Sequence[Block], kernel: KernelModel) -> int:
    """A stock kernel maps the run of pages that the file begins with
    (cramfs_get_block_range())."""
    if kernel == "patched":
        return sum(block.in_place for block in blocks)
    run = 0
    for block in blocks:
        if not block.in_place or block.offset != blocks[0].offset + run * PAGE_SIZE:
            break
        run += 1
    return run
