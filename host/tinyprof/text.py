# SPDX-License-Identifier: MIT
"""Text for people: names made harmless for a terminal, times as people write them."""

from __future__ import annotations

import shlex
from pathlib import PurePath


def shown(name: str) -> str:
    """A name from an image or a target, safe for a terminal.

    Control characters, invisible characters and bytes that are no text are escaped.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def shell_word(name: str) -> str:
    """A name as a word of a shell's command line, safe for a terminal. Bash knows the quotes of
    names with control characters."""
    if shown(name) == name:
        return shlex.quote(name)
    return "$'{}'".format(shown(name.replace("\\", "\\\\").replace("'", "\\'")))


def path_word(path: PurePath) -> str:
    """A path as a word of a shell's command line that no command takes for an option."""
    name = str(path)
    return shell_word(f"./{name}" if name.startswith("-") else name)


def shown_line(line: bytes) -> str:
    """A line of console text without its line end. Tabs stay; the rest is escaped by shown()."""
    return "\t".join(
        map(shown, line.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\t"))
    )


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
EPOCH_MS_LIMIT = 1 << 32
"""Milliseconds. An epoch is shorter than this: the target counts its length in 32 bits."""


def seconds_of(text: str) -> float | None:
    """The seconds of a time such as `250ms`, `1s`, `2m` or `1h`. None: the text is no time."""
    number = text.rstrip("smh")
    unit = _SECONDS.get(text[len(number) :])
    if not (number.isascii() and number.isdecimal() and len(number) < 10) or unit is None:
        return None
    return int(number) * unit


def epoch_text(ms: int) -> str:
    """The length of an epoch in words. Epochs of 0 ms do not end by time."""
    if not ms:
        return "epochs without end"
    return f"epochs of {ms / 1000:g} s" if ms >= 1000 else f"epochs of {ms} ms"


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1: 1 epoch, 2 epochs."""
    return f"{count} {noun if count == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("tch", "uch", "s")) else f"{noun}s"
