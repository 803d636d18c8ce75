# SPDX-License-Identifier: MIT
"""JSON texts as a careless hand leaves them."""

from __future__ import annotations

import random
from collections.abc import Iterator

WORDS = [
    "-1",
    "1e999",
    "null",
    '"',
    "[",
    "}",
    "\\ud800",
    "99999999999999999999",
    "{}",
    ",",
    "\x00",
    "é",
]


def edited(text: str, seed: int, count: int) -> Iterator[str]:
    """The text with one to three places overwritten, anew each time."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(count):
        yield edited_once(text, rng)


def edited_once(text: str, rng: random.Random) -> str:
    """The text with one to three places overwritten."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(WORDS) + text[at + rng.randrange(4) :]
    return text
