# SPDX-License-Identifier: MIT
"""Guesses the rate of a line from how it looks at a wrong rate.

Bytes that were received at a wrong rate come in. Rates to try go out, the likeliest first. A line
that is slower than its receiver shows every bit several times, so its bytes have few edges. A
faster line looks like noise.
"""

from __future__ import annotations

import math

RATES = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_500_000, 3_000_000)
"""Baud rates that are tried."""
USUAL = (115_200, 921_600, 1_500_000, 57_600, 9600)
"""The most usual baud rates, the most usual first."""

LEAST = 16
"""Bytes that it takes to judge."""

_EDGES = tuple(bin(value ^ value >> 1 & 0x7F).count("1") for value in range(256))
"""Edges in each byte value: places where neighbouring bits differ. The stop bit, a 1, follows the
highest bit."""

FEW_EDGES = 2.6
"""Edges in a byte. Bytes of a line at most half as fast have fewer on average. Bytes of noise have
about 4."""

_EDGES_BY_RATIO = ((2.0, 2), (1.2, 4), (0.45, 8), (0.0, 16))
"""Edges in a byte, and how many times slower the line then is (a simulated UART,
tests/unit/record/test_baud.py)."""


def likely_rates(received: bytes, baud: int) -> list[int]:
    """Return rates to try instead of `baud`; the usual rates if nothing can be told."""
    usual = [rate for rate in USUAL if rate != baud]
    if len(received) < LEAST:
        return usual
    edges = sum(map(_EDGES.__getitem__, received)) / len(received)
    if edges < FEW_EDGES:
        ratio = next(ratio for least, ratio in _EDGES_BY_RATIO if edges >= least)
        slower = [rate for rate in RATES if rate < baud]
        return sorted(slower, key=lambda rate: abs(math.log(baud / rate / ratio))) or usual
    faster = [rate for rate in (*USUAL, *RATES) if rate > baud]
    return list(dict.fromkeys(faster)) or usual
