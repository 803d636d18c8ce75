# SPDX-License-Identifier: MIT
"""The temperature of a page: when it was seen in, its class out.

hot: seen in most epochs of the steady state. once: in no epoch of it, or in one stretch of each
run that saw it. warm: all else that was seen. cold: never seen.
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
class Limits:
    """`hot`: from this share of the steady state's epochs on a page is hot."""

    hot: float = 0.5


DEFAULT_LIMITS = Limits()


def temperature(use: PageUse, steady_epochs: int, limits: Limits = DEFAULT_LIMITS) -> Temperature:
    """The class of a used page, in a file whose runs have `steady_epochs` epochs of steady
    state."""
    seen = use.any
    if seen.steady and seen.steady >= limits.hot * steady_epochs:
        return Temperature.HOT
    if not seen.steady or seen.stretches <= seen.runs:
        return Temperature.ONCE
    return Temperature.WARM


def temperatures(
    profile: Profile, file: FileUse, limits: Limits = DEFAULT_LIMITS
) -> dict[int, Temperature]:
    """The class of each used page of a file; pages that are not named are cold."""
    steady = profile.steady_of(file)
    return {page: temperature(use, steady, limits) for page, use in file.pages.items()}


def count_temperatures(profile: Profile, limits: Limits = DEFAULT_LIMITS) -> Counter[Temperature]:
    """How many pages of all profiled files are of each class."""
    counts: Counter[Temperature] = Counter()
    for file in profile.files:
        counts.update(temperatures(profile, file, limits).values())
    return counts
