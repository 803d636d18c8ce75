# SPDX-License-Identifier: MIT
"""Text of a target, an image or a file made harmless: whatever a terminal would obey comes out spelt."""

from __future__ import annotations


def shown(name: str) -> str:
    """A name from an image or a target with control, invisible and undecodable characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def shown_line(line: bytes) -> str:
    """A line of console text, without its end: tabs stay, every other control is escaped."""
    return "\t".join(map(shown, line.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\t")))
