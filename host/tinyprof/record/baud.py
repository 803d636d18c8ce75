# SPDX-License-Identifier: MIT
"""Which rate a line probably has, judged by what it looks like at a wrong one.

Bytes that were received at a wrong rate come in; likely rates go out, the likeliest first. A line
that is slower than its receiver shows every bit several times, so its bytes have few edges; a
faster one shows noise.
"""

from __future__ import annotations

import math

RATES = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_500_000, 3_000_000)
USUAL = (115_200, 921_600, 1_500_000, 57_600, 9600)

LEAST = 16
"""Bytes that it takes to judge."""

_EDGES = tuple(bin(value ^ value >> 1 & 0x7F).count("1") for value in range(256))
"""How often neighbouring bits of a byte differ, its highest bit and the stop bit after it, a 1,
included."""

FEW_EDGES = 2.6
"""A byte of a line at least twice as slow has fewer on the average; one of noise has about 4."""

_EDGES_BY_RATIO = ((2.0, 2), (1.2, 4), (0.45, 8), (0.0, 16))
"""With at least so many edges a line is so many times slower (a simulated UART,
tests/unit/test_baud.py)."""


def likely_rates(received: bytes, baud: int) -> list[int]:
    """Rates to try instead of `baud`; the usual ones where nothing can be told."""
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
