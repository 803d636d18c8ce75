# SPDX-License-Identifier: MIT
"""The temperature of a page: when it was seen in, its class out.

The first rule that fits decides:

1. cold: the page was never seen;
2. hot: it was seen in at least half of the epochs of the steady state (`Thresholds.hot`);
3. once: it was seen in no epoch of the steady state, or in one stretch only of each boot;
4. warm: any other page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tinyprof.profile.model import FileUse, PageUse, Profile


class Temperature(Enum):
    """The classes, hottest first."""

    HOT = "hot"
    WARM = "warm"
    ONCE = "once"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`hot`: the share of the steady state's epochs from which on a page is hot."""

    hot: float = 0.5


DEFAULT_THRESHOLDS = Thresholds()


def temperature(
    use: PageUse, steady_epochs: int, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Temperature:
    """The class of a used page of a file whose boots have `steady_epochs` epochs in their steady
    state (Profile.steady_of())."""
    seen = use.any
    if seen.steady and seen.steady >= thresholds.hot * steady_epochs:
        return Temperature.HOT
    if not seen.steady or seen.stretches <= seen.boots:
        return Temperature.ONCE
    return Temperature.WARM


def temperatures(
    profile: Profile, file: FileUse, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> dict[int, Temperature]:
    """The class of each used page of a file; the others are cold."""
    steady = profile.steady_of(file)
    return {page: temperature(use, steady, thresholds) for page, use in file.pages.items()}
