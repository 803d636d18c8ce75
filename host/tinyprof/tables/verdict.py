# SPDX-License-Identifier: MIT
"""The verdict on a profile: what XIP would cost in flash and save in RAM, kernel by kernel.

Rows, a curve and the size of the image come in. Totals, and words for them, go out. Sizes are in
bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyprof.plan.what_if import Point, WhatIf
from tinyprof.profile.model import Profile
from tinyprof.tables.columns import percent
from tinyprof.tables.rows import FileRow

KNEE_SHARE = 0.9
"""Share of the saving of all pages that pay. The cheapest pages that reach it are the knee of the
curve."""


@dataclass(frozen=True, slots=True)
class KernelVerdict:
    """The verdict for one kernel.

    - `most`: all pages that pay. `knee`: the cheapest pages that save KNEE_SHARE of that.
    - `exact`: where it is not set, costs are upper bounds.
    - `left_out`: number of files that could not be reckoned.
    """

    most: Point
    knee: Point
    exact: bool = True
    left_out: int = 0


def verdict_of(curve: WhatIf) -> KernelVerdict:
    """The verdict that a curve gives."""
    return KernelVerdict(curve.everything, curve.saving(KNEE_SHARE), curve.exact, curve.unknown)


@dataclass(frozen=True, slots=True)
class Base:
    """The figures that percentages are of: bytes of page cache in the steady state without any
    page in place, and bytes of the image."""

    ram: int = 0
    image: int = 0


def base_of(rows: Sequence[FileRow], image_size: int) -> Base:
    """The base of a profile's rows and an image's size; 0 where it is not known."""
    return Base(sum(row.steady_ram for row in rows), image_size)


def size_words(size: int) -> str:
    """Bytes in KiB, as whole as a reader needs them."""
    return f"{size} B" if 0 < abs(size) < 1024 else f"{round(size / 1024):,} KiB"


def saved_words(point: Point, base: Base) -> str:
    """The saved RAM and its share: 2,241 KiB, 84 %."""
    return size_words(point.saves) + _share(min(point.saves, base.ram), base.ram)


def cost_words(point: Point, base: Base, *, exact: bool) -> str:
    """The spent flash and its share of the image: 867 KiB, 4 %."""
    bound = "" if exact else "≤ "
    return bound + size_words(point.cost) + _share(point.cost, base.image)


def _share(part: int, whole: int) -> str:
    return f", {percent(part, whole)}" if whole else ""


def has_settled(profile: Profile | None) -> bool:
    """Whether the steady state of the newest boot has begun, so that figures may be final.

    1. A phase named "steady…" has epochs.
    2. Or some phases with epochs belong to the steady state, and others do not.
    3. Or its source sees no page twice. Then all is one epoch, and no other figures will come.

    Where no rule fits, the profile takes the start-up for the steady state, for want of a better
    one (profile.boot_profile.steady_phases).
    """
    if profile is None or not profile.boots:
        return False
    boot = profile.boots[-1]
    if boot.source and boot.source.is_one_epoch:
        return bool(boot.phases)
    steady = [phase for phase in boot.phases if phase.steady]
    named = any(phase.name.startswith("steady") for phase in steady)
    return named or 0 < len(steady) < len(boot.phases)
