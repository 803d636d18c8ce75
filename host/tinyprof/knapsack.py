# SPDX-License-Identifier: MIT
"""A knapsack of choices: groups of which at most one option each is taken, and a capacity in; a choice out.

First by value for cost along each group's convex hull, which is the fractional optimum but for the last
step; then the groups around that step are chosen again, together and exactly, for the room that is left. It
knows nothing of pages: costs and values are whole numbers above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CORE_GROUPS = 20
"""Groups around the last step that are chosen together."""

CORE_OPTIONS = 12
"""Of a group with many options those that cost next more and next less than what was taken."""

FRONTIER_MAX = 3000
"""Combinations of these that are kept apart; more would be exacter than anybody needs."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to take a group, and what it costs and is worth."""

    cost: int
    value: int


Group = Sequence[Option]
"""The options of a group, of which one or none is taken, in the order of their costs."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`taken[i]` is the index of group i's option, -1 for none.

    `bound` is a value that no choice can exceed.
    """

    taken: tuple[int, ...]
    cost: int
    value: int
    bound: float


@dataclass(frozen=True, slots=True)
class _Step:
    """From one option of a group's hull to the next."""

    group: int
    option: int
    cost: int
    value: int


def choose(groups: Sequence[Group], capacity: int) -> Choice:
    """The most value for at most `capacity`."""
    steps = _steps(groups)
    taken, fit, bound = _follow(groups, steps, capacity)
    best = _filled(groups, steps, taken, capacity)
    if fit < len(steps):
        core = _core(groups, steps, fit)
        alone = [-1 if index in core else option for index, option in enumerate(taken)]
        exact = _filled(groups, steps, _with_core(groups, taken, alone, core, capacity), capacity)
        best = max(best, exact, key=lambda found: _totals(groups, found)[1])
    return Choice(tuple(best), *_totals(groups, best), bound)


def choose_for(groups: Sequence[Group], wanted: int) -> Choice | None:
    """At least `wanted` value for little cost; None where all of it together is worth less.

    `bound` is then a cost that nothing which is worth as much can stay below.
    """
    steps = _steps(groups)
    taken = [-1] * len(groups)
    cost = value = 0
    for number, step in enumerate(steps):
        if value + step.value >= wanted:
            bound = cost + step.cost * max(0, wanted - value) / step.value
            enough = (later for later in steps[number:] if value + later.value >= wanted)
            last = min(
                (later for later in enough if _is_next(later, taken)), key=lambda it: it.cost, default=step
            )
            taken[last.group] = last.option
            return Choice(tuple(taken), *_totals(groups, taken), bound)
        taken[step.group] = step.option
        cost, value = cost + step.cost, value + step.value
    return Choice(tuple(taken), cost, value, float(cost)) if wanted <= value else None


def _is_next(step: _Step, taken: Sequence[int]) -> bool:
    """Whether nothing of the step's group is taken yet, so that the step is all that is added."""
    return taken[step.group] == -1


def _totals(groups: Sequence[Group], taken: Sequence[int]) -> tuple[int, int]:
    chosen = [group[option] for group, option in zip(groups, taken, strict=True) if option >= 0]
    return sum(option.cost for option in chosen), sum(option.value for option in chosen)


def _steps(groups: Sequence[Group]) -> list[_Step]:
    """The steps of all groups, the most value for its cost first; those of one group in their order."""
    steps = [step for index, group in enumerate(groups) for step in _hull(index, group)]
    steps.sort(key=lambda step: (-step.value / step.cost, step.group, step.option))
    return steps


def _hull(index: int, group: Group) -> list[_Step]:
    """The options that some mixture of others does not beat, as steps of falling value for cost."""
    if len(group) == 1:
        return [_Step(index, 0, group[0].cost, group[0].value)] if group[0].value else []
    points: list[tuple[int, int, int]] = [(0, 0, -1)]
    for number, option in enumerate(group):
        if option.value <= points[-1][1]:
            continue
        while len(points) > 1 and _is_below(points[-2], points[-1], option):
            points.pop()
        if option.cost > points[-1][0]:
            points.append((option.cost, option.value, number))
    pairs = pairwise(points)
    return [_Step(index, number, cost - c, value - v) for (c, v, _), (cost, value, number) in pairs]


def _is_below(before: tuple[int, int, int], point: tuple[int, int, int], option: Option) -> bool:
    """Whether the middle one lies on or below the line between its neighbours."""
    rise = (point[1] - before[1]) * (option.cost - before[0])
    return rise <= (option.value - before[1]) * (point[0] - before[0])


def _follow(groups: Sequence[Group], steps: Sequence[_Step], capacity: int) -> tuple[list[int], int, float]:
    """What the steps take before the first that does not fit, its number, and the fractional optimum."""
    taken = [-1] * len(groups)
    left, value = capacity, 0
    for number, step in enumerate(steps):
        if step.cost > left:
            return taken, number, value + step.value * max(0, left) / step.cost
        taken[step.group] = step.option
        left -= step.cost
        value += step.value
    return taken, len(steps), float(value)


def _filled(
    groups: Sequence[Group], steps: Sequence[_Step], taken: Sequence[int], capacity: int
) -> list[int]:
    """What else fits of the groups of which nothing is taken."""
    filled = list(taken)
    left = capacity - _totals(groups, taken)[0]
    for step in steps:
        if filled[step.group] == -1 and 0 < (cost := groups[step.group][step.option].cost) <= left:
            filled[step.group] = step.option
            left -= cost
    return filled


def _core(groups: Sequence[Group], steps: Sequence[_Step], fit: int) -> list[int]:
    """The groups of the steps around number `fit`, at most CORE_GROUPS."""
    core: dict[int, None] = {}
    for distance in range(len(steps)):
        for number in (fit + distance, fit - 1 - distance):
            if 0 <= number < len(steps) and len(core) < CORE_GROUPS:
                core.setdefault(steps[number].group)
        if len(core) >= CORE_GROUPS:
            break
    return list(core)


@dataclass(slots=True)
class _Combination:
    """Options of the core's first groups; `option` of `group` was added last, to `before`."""

    cost: int
    value: int
    group: int = -1
    option: int = -1
    before: _Combination | None = None


def _with_core(
    groups: Sequence[Group], around: Sequence[int], alone: Sequence[int], core: Sequence[int], capacity: int
) -> list[int]:
    """The best combination of the core's options for what the others leave."""
    left = capacity - _totals(groups, alone)[0]
    frontier = [_Combination(0, 0)]
    for index in core:
        frontier += [
            _Combination(before.cost + option.cost, before.value + option.value, index, number, before)
            for number, option in _near(groups[index], around[index])
            for before in frontier
            if before.cost + option.cost <= left
        ]
        frontier = _undominated(frontier)
    taken = list(alone)
    best: _Combination | None = frontier[-1]
    while best and best.before:
        taken[best.group] = best.option
        best = best.before
    return taken


def _near(group: Group, around: int) -> list[tuple[int, Option]]:
    first = max(0, around - CORE_OPTIONS)
    return list(enumerate(group))[first : max(around, 0) + CORE_OPTIONS + 1]


def _undominated(combinations: list[_Combination]) -> list[_Combination]:
    """Those that no cheaper one is worth as much as, in the order of their costs; thinned out if too many."""
    combinations.sort(key=lambda it: (it.cost, -it.value))
    kept: list[_Combination] = []
    for combination in combinations:
        if not kept or combination.value > kept[-1].value:
            kept.append(combination)
    if len(kept) > FRONTIER_MAX:
        kept = kept[:: len(kept) // FRONTIER_MAX + 1] + kept[-1:]
    return kept
