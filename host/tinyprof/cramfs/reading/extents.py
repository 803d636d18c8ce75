# SPDX-License-Identifier: MIT
"""Finds overlaps in an image: stretches of bytes with their owners in, overlaps out."""

from __future__ import annotations

from collections.abc import Iterator

_BITS = 30
"""Bits of a byte's number. No image has a gigabyte."""


class Extents:
    """The stretches of an image that are in use.

    An image may have a hundred thousand of them, so each is one integer made of the first byte,
    the byte after the last, the number of the owner, and whether it is a page stored as it is.
    """

    def __init__(self) -> None:
        self._stretches: list[int] = []
        self._owners: list[str] = []

    def add(self, start: int, end: int, owner: str, *, raw: bool = False) -> None:
        """Take note of the bytes `start` up to, not including, `end`."""
        if not self._owners or self._owners[-1] is not owner:
            self._owners.append(owner)
        number = len(self._owners) - 1
        self._stretches.append(((start << _BITS | end) << _BITS | number) << 1 | raw)

    def overlaps(self) -> Iterator[tuple[int, str, str]]:
        """For each overlap: the byte at which it begins, the owner, and the owner before it.

        1. Equal stretches are one block that is shared: no overlap.
        2. Pages stored as they are that begin together are one page, which one file ends earlier.
        """
        self._stretches.sort()
        mask = (1 << _BITS) - 1
        last, last_end, last_raw = -1, -1, False
        furthest, furthest_owner = 0, ""
        for stretch in self._stretches:
            raw, owner = bool(stretch & 1), self._owners[stretch >> 1 & mask]
            start, end = stretch >> 2 * _BITS + 1, stretch >> _BITS + 1 & mask
            if (start, end) == (last, last_end):
                last_raw |= raw
                continue
            if start < furthest and not (start == last and raw and last_raw):
                yield start, owner, furthest_owner
            if end > furthest:
                furthest, furthest_owner = end, owner
            last, last_end, last_raw = start, end, raw
