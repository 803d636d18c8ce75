# SPDX-License-Identifier: MIT
"""The temperature of a page: when it was seen in, its class out.

hot: seen in most epochs of the steady state. once: in no epoch of it, or in one stretch of each
boot that saw it. warm: all else that was seen. cold: never seen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from tinyprof.profile.model import FileUse, PageUse, Profile


class Temperature(Enum):
    """The classes, the hottest first."""

    HOT = "hot"
    WARM = "warm"
    ONCE = "once"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`hot`: from this share of the steady state's epochs on a page is hot."""

    hot: float = 0.5


DEFAULT_THRESHOLDS = Thresholds()


def temperature(
    use: PageUse, steady_epochs: int, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Temperature:
    """The class of a used page, in a file whose boots have `steady_epochs` epochs of steady
    state."""
    seen = use.any
    if seen.steady and seen.steady >= thresholds.hot * steady_epochs:
        return Temperature.HOT
    if not seen.steady or seen.stretches <= seen.boots:
        return Temperature.ONCE
    return Temperature.WARM


def temperatures(
    profile: Profile, file: FileUse, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> dict[int, Temperature]:
    """The class of each used page of a file; pages that are not named are cold."""
    steady = profile.steady_of(file)
    return {page: temperature(use, steady, thresholds) for page, use in file.pages.items()}


def count_temperatures(
    profile: Profile, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Counter[Temperature]:
    """How many pages of all profiled files are of each class."""
    counts: Counter[Temperature] = Counter()
    for file in profile.files:
        counts.update(temperatures(profile, file, thresholds).values())
    return counts
