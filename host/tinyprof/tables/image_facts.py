# SPDX-License-Identifier: MIT
"""The account of an image: its facts in, lines of text out. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinyprof.cramfs.kernel import KERNEL_WORDS
from tinyprof.tables.columns import kib, percent, wrapped
from tinyprof.text import counted

_PARTS = (
    ("compressed", "compressed_bytes", "compressed blocks"),
    ("in_place", "in_place_bytes", "pages in place"),
    ("uncompressed", "uncompressed_bytes", "pages stored as they are, not in place"),
    ("pointers", "pointer_bytes", "block pointers"),
    ("names", "name_bytes", "inodes and names"),
)
"""Parts of an image: the name of the share, the field of the bytes, and the words."""


def image_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The text of `tinyprof image info`. `facts` are the fields of its JSON document."""
    size = facts["size"]
    yield f"{kib(size):>10} KiB         image"
    for _, name, words in _PARTS:
        yield f"{kib(facts[name]):>10} KiB {percent(facts[name], size, 1):>7} {words}"
    files = counted(facts["files"], "file")
    yield f"{kib(facts['content_bytes']):>10} KiB         content of {files}"
    rest = [
        f"{facts['pages']:,} pages, {facts['pages_in_place']:,} of them in place",
        counted(facts["holes"], "hole"),
    ]
    names = [
        f"{facts['directories']:,} directories",
        counted(facts["symlinks"], "symbolic link"),
        f"{facts['others']:,} others",
    ]
    if facts["unreadable_files"]:
        rest.append(f"{counted(facts['unreadable_files'], 'file')} cannot be read")
    yield from wrapped(", ".join([*rest, *names]), "", "  ")
    if facts["pages_in_place"]:
        maps = [
            f"{words} maps {facts['mapped'][kernel]:,}"
            for kernel, words in KERNEL_WORDS.items()
            if kernel in facts["mapped"]
        ]
        yield from wrapped(f"of the pages in place {', '.join(maps)}", "", "  ")
    yield f"name {facts['name']}"
    yield f"fsid {facts['fsid']}"
    boot = f", {facts['boot_padding']} bytes for boot code" if facts["boot_padding"] else ""
    yield from wrapped(
        f"{facts['byte_order']} endian{boot}; {', '.join(facts['flags'])}", "", "  "
    )
