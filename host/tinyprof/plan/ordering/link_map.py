# SPDX-License-Identifier: MIT
"""The map that a linker writes with -Map: its text in, the functions and objects in it out.

A stripped program whose map was kept needs no debug file. GNU ld and gold write input sections, so
their names tell functions where the program was compiled with -ffunction-sections. lld writes
symbols below each section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tinyprof.plan.ordering.program import OrderingError, Piece

MAP_MAX = 256 << 20
"""Bytes of a map that are read, at most."""

_GNU = re.compile(
    r"^ (?P<section>\.(?:text|rodata)\.\S+)\s+0x(?P<addr>[0-9a-f]{1,16})"
    r"\s+0x(?P<size>[0-9a-f]{1,16})(?:\s|$)",
    re.MULTILINE,
)
"""An input section of GNU ld or gold. A long name has the numbers on the next line."""

_LLD_HEAD = re.compile(r"^ *VMA +LMA +Size +Align +Out +In +Symbol *$", re.MULTILINE)
_LLD = re.compile(
    r"^ *(?P<addr>[0-9a-f]+) +[0-9a-f]+ +(?P<size>[0-9a-f]+) +[0-9]+ {9}"
    r"\S.*:\((?P<section>[^():\n]+)\)$",
    re.MULTILINE,
)
"""An input section of lld: FILE:(SECTION), behind eight spaces and one."""

_UNLIKELY = ".text.unlikely."
_PREFIX = re.compile(r"\.text\.(?:unlikely|hot|startup|exit)\.(?=.)|\.text\.|\.rodata\.")


def read_map(text: str) -> list[Piece]:
    """The functions and objects of a linker map. Raises OrderingError for a text without any."""
    pattern = _LLD if _LLD_HEAD.search(text) else _GNU
    pieces = list(_pieces(pattern, text))
    whole = {it.section for it in pieces}
    # GCC puts a function that is cold, and the cold part of any function, into .text.unlikely.
    pieces = [
        it._replace(name=f"{it.name}.cold")
        if it.section.startswith(_UNLIKELY) and f".text.{it.name}" in whole
        else it
        for it in pieces
    ]
    if not pieces:
        raise OrderingError(
            "no linker map with a section for each function",
            "compile with -ffunction-sections, and link with -Wl,-Map=FILE",
        )
    return pieces


def _pieces(pattern: re.Pattern[str], text: str) -> Iterator[Piece]:
    for found in pattern.finditer(text):
        section = found["section"]
        size, address = int(found["size"], 16), int(found["addr"], 16)
        prefix = _PREFIX.match(section)
        # Sections that were thrown away stand at address 0.
        if size and address and prefix:
            yield Piece(address, size, section[prefix.end() :], section)
