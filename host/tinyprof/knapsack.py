# SPDX-License-Identifier: MIT
"""A knapsack of choices: groups of which at most one option each is taken, and a capacity in; a choice out.

First by value for cost along each group's convex hull, which is the fractional optimum but for the last step.
That optimum says of every option how much is lost by taking it; those that would lose more than there is to
win are out, and what is left is tried together, exactly. It knows nothing of pages: costs and values are
whole numbers, costs above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CORE_GROUPS = 300
"""Groups that are tried together; where more are open, those that lose the least by being taken otherwise."""

GOOD_ENOUGH = 0.0005
"""Nobody looks further for such a share of the bound."""

FRONTIER_MAX = 2000
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
    if fit < len(steps) and _totals(groups, best)[1] < (1 - GOOD_ENOUGH) * bound:
        price = steps[fit].value / steps[fit].cost
        exact = _tried(groups, best, capacity, price, bound)
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


@dataclass(frozen=True, slots=True)
class _Open:
    """A group of which more than one option may be in a better choice, none (-1) counting as one.

    `options` are (number, cost, value). `best`: the most that one is worth beyond its cost at the price of
    the fractional optimum; `loss`: how much less the next one is.
    """

    group: int
    options: tuple[tuple[int, int, int], ...]
    best: float
    loss: float


def _open_groups(
    groups: Sequence[Group], known: Sequence[int], price: float, gap: float
) -> tuple[list[_Open], list[int]]:
    """The open groups, those that lose the least by another option first; and the others' options."""
    opened: list[_Open] = []
    settled = [-1] * len(groups)
    for index, group in enumerate(groups):
        options = [(-1, 0, 0), *((number, option.cost, option.value) for number, option in enumerate(group))]
        gains = [value - price * cost for _, cost, value in options]
        best = max(gains)
        good = tuple(option for option, gain in zip(options, gains, strict=True) if best - gain <= gap)
        if len(good) == 1:
            settled[index] = good[0][0]
            continue
        second = sorted(gains)[-2]
        opened.append(_Open(index, good, best, best - second))
    opened.sort(key=lambda it: (it.loss, it.group))
    for it in opened[CORE_GROUPS:]:
        settled[it.group] = known[it.group]
    return opened[:CORE_GROUPS], settled


@dataclass(slots=True)
class _Combination:
    """Options of the first open groups; `option` of `group` was added last, to `before`."""

    cost: int
    value: int
    group: int = -1
    option: int = -1
    before: _Combination | None = None


def _tried(
    groups: Sequence[Group], known: Sequence[int], capacity: int, price: float, bound: float
) -> list[int]:
    """The best combination of all that may still be better than what is known."""
    known_value = _totals(groups, known)[1]
    opened, settled = _open_groups(groups, known, price, bound - known_value)
    cost, value = _totals(groups, settled)
    left, wanted = capacity - cost, known_value - value
    # What the groups to come can add to a combination at most, its unused room sold at the price.
    more = sum(it.best for it in opened)
    frontier = [_Combination(0, 0)]
    for it in opened:
        more -= it.best
        grown = [
            _Combination(before.cost + cost, before.value + value, it.group, number, before)
            for number, cost, value in it.options
            for before in frontier
            if before.cost + cost <= left
            and before.value + value + price * (left - before.cost - cost) + more >= wanted
        ]
        frontier = _undominated(grown)
        if not frontier:
            return list(known)
    taken = list(settled)
    best: _Combination | None = frontier[-1]
    while best and best.before:
        taken[best.group] = best.option
        best = best.before
    return taken


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
