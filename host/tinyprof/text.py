# SPDX-License-Identifier: MIT
"""Text of a target, an image or a file made harmless: whatever a terminal would obey comes out
spelt."""

from __future__ import annotations


def shown(name: str) -> str:
    """A name from an image or a target with control, invisible and undecodable characters
    escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def shown_line(line: bytes) -> str:
    """A line of console text, without its end: tabs stay, every other control is escaped."""
    return "\t".join(
        map(shown, line.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\t"))
    )


SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
EPOCH_MS_LIMIT = 1 << 32
"""An epoch's length, in milliseconds, is below this: the target counts it in 32 bits."""


def seconds_of(text: str) -> float | None:
    """The seconds that `250ms`, `1s`, `2m` or `1h` are; None for what is no such time."""
    number = text.rstrip("smh")
    unit = SECONDS.get(text[len(number) :])
    if not (number.isascii() and number.isdecimal() and len(number) < 10) or unit is None:
        return None
    return int(number) * unit


def epoch_text(ms: int) -> str:
    """How long an epoch is, in words; 0 ms never end by time."""
    if not ms:
        return "epochs without end"
    return f"epochs of {ms / 1000:g} s" if ms >= 1000 else f"epochs of {ms} ms"
