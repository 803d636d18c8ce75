# SPDX-License-Identifier: MIT
"""A bad line: turns what was written into what arrives.

Bits are flipped, whole writes are lost, and lines of another program come in between. The same
seed gives the same noise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

TEXT = b"[   12.345678] usb 1-1: new high-speed USB device number 7 using ehci\r\n"
"""A line that a kernel prints on the serial line."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How bad a line is: the chance that a bit is flipped, that a write is lost, and that text
    precedes a write."""

    bits: float = 1e-4
    lost: float = 0.01
    text: float = 0.01


class NoisyLine:
    """One direction of a line."""

    def __init__(self, noise: Noise, seed: int) -> None:
        self._noise = noise
        self._rng = random.Random(seed)
        self.flipped = 0
        self.lost = 0
        self.printed = 0

    def through(self, data: bytes) -> bytes:
        """Return what arrives of one write."""
        rng, noise = self._rng, self._noise
        if rng.random() < noise.lost:
            self.lost += 1
            return b""
        data = self._with_flips(data)
        if rng.random() < noise.text:
            self.printed += 1
            at = rng.randrange(len(data) + 1)
            data = data[:at] + TEXT + data[at:]
        return data

    def _with_flips(self, data: bytes) -> bytes:
        flipped = bytearray(data)
        at = self._gap()
        while at < len(data) * 8:
            flipped[at // 8] ^= 1 << at % 8
            self.flipped += 1
            at += 1 + self._gap()
        return bytes(flipped)

    def _gap(self) -> int:
        """Return how many good bits come before the next bad one."""
        return int(self._rng.expovariate(self._noise.bits)) if self._noise.bits else 1 << 62
