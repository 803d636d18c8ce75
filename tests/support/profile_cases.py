# SPDX-License-Identifier: MIT
"""Profiled pages and files for tests: how often a page was seen as what in, what a profile has of
it out."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.value import Candidate
from tinyprof.profile.model import PageUse, Seen

STEADY = 10
"""Epochs of the steady state."""


def seen(steady: int, epochs: int | None = None) -> Seen:
    epochs = steady + 1 if epochs is None else epochs
    return Seen(epochs, steady, 1, 12, 1, 1, 1)


def use(**kinds: int) -> PageUse:
    """A page by kind: in how many epochs of the steady state it was seen; all start in
    start-up."""
    by_kind = {kind: seen(steady) for kind, steady in kinds.items()}
    if {"x", "r"} <= by_kind.keys():
        by_kind["xr"] = by_kind["x"].either(by_kind["r"])
    if len(kinds) > 1 and by_kind.keys() != {"x", "r", "xr"}:
        by_kind["*"] = seen(max(kinds.values()))
    return PageUse("", by_kind)


def program_head(pages: int) -> bytes:
    """The first bytes of a 32-bit program of one read-execute segment of so many pages, and one to
    write."""
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<2H5I6H", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    text = struct.pack("<8I", 1, 0, 0, 0, pages * PAGE_SIZE, pages * PAGE_SIZE, 5, PAGE_SIZE)
    size, at = PAGE_SIZE, pages * PAGE_SIZE
    return head + text + struct.pack("<8I", 1, at, at, at, size, size, 6, PAGE_SIZE)


def candidate(uses: Mapping[int, PageUse], pages: int = 12) -> Candidate:
    """A program whose last two pages and a byte are data."""
    return Candidate(
        "/f", pages * PAGE_SIZE + 1, program_head(pages - 2), [2000] * (pages + 1), uses, STEADY
    )
