# SPDX-License-Identifier: MIT
"""A device tree is completed with the words of a run, whatever their length."""

from __future__ import annotations

import struct

import pytest

from qemu_board.architecture import ARMV7M
from qemu_board.machine import SEED_PLACE, WORDS_PLACE, Settings, _completed

BEGIN, END, PROPERTY, LAST = 1, 2, 3, 9
NAMES = b"bootargs\0rng-seed\0"
HEADER = 40


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def tree() -> bytes:
    """A blob as dtc writes it: a root node with the two placeholders."""
    node = struct.pack(">2I", BEGIN, 0)
    for value, name in ((WORDS_PLACE, 0), (SEED_PLACE + b"\0", 9)):
        node += struct.pack(">3I", PROPERTY, len(value), name) + padded(value)
    node += struct.pack(">2I", END, LAST)
    strings = HEADER + 16 + len(node)
    total = strings + len(NAMES)
    numbers = (0xD00DFEED, total, HEADER + 16, strings, HEADER, 17, 16, 0, len(NAMES), len(node))
    return struct.pack(">10I", *numbers) + bytes(16) + node + NAMES


def properties(blob: bytes) -> dict[str, bytes]:
    """The properties of the root node, by the header's own sizes and offsets."""
    total, at, strings, *_ = struct.unpack_from(">3I", blob, 4)
    size_strings, size_structure = struct.unpack_from(">2I", blob, 32)
    assert (total, strings) == (len(blob), at + size_structure)
    assert strings + size_strings == total
    found = {}
    at += 8
    while (token := struct.unpack_from(">I", blob, at)[0]) == PROPERTY:
        size, name = struct.unpack_from(">2I", blob, at + 4)
        begin = strings + name
        found[blob[begin : blob.index(b"\0", begin)].decode()] = blob[at + 12 : at + 12 + size]
        at += 12 + size + -size % 4
    assert (token, at + 8) == (END, strings)
    return found


@pytest.mark.parametrize("words", ["", "x", "xy", "init=/bin/sh quiet", "a=b " * 60])
def test_the_kernels_words_take_the_place_of_the_placeholder(words: str) -> None:
    found = properties(_completed(tree(), ARMV7M, Settings(mem=1900, append=words)))
    said = found["bootargs"]
    assert said.endswith(b"\0")
    assert said.rstrip(b"\0").decode() == (
        f"root=mtd0 rootfstype=cramfs console=ttyMPS0 mem=1900K {words}".strip()
    )
    assert len(found["rng-seed"]) == len(SEED_PLACE) + 1
    assert SEED_PLACE not in found["rng-seed"]
