# SPDX-License-Identifier: MIT
"""A simulated UART: the bytes of a line and two rates in, the bytes that its receiver makes of
them out."""

from __future__ import annotations

OVERSAMPLED = 16
"""Looks at the line in the time of a bit, while the receiver waits for an edge."""


def received(data: bytes, sent_at: int, baud: int) -> bytes:
    """What a receiver at `baud` makes of bytes that follow each other at `sent_at`."""
    levels = [level for byte in data for level in (0, *(byte >> bit & 1 for bit in range(8)), 1)]
    end = len(levels) / sent_at

    def level(at: float) -> int:
        return levels[int(at * sent_at)] if at < end else 1

    found, at, bit = bytearray(), 0.0, 1 / baud
    while at < end:
        if level(at):
            at += bit / OVERSAMPLED
            continue
        found.append(sum(level(at + (1.5 + place) * bit) << place for place in range(8)))
        at += 9.5 * bit
        while at < end and not level(at):
            at += bit / OVERSAMPLED
    return bytes(found)
