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
        mutated = text
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(mutated))
            mutated = mutated[:at] + rng.choice(WORDS) + mutated[at + rng.randrange(4) :]
        yield mutated
