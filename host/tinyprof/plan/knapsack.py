# SPDX-License-Identifier: MIT
"""A knapsack of choices: groups of options and a capacity in, at most one option a group out.

1. Take options by value for cost along the convex hull of each group, while they fit. But for the
   last step this is the fractional optimum.
2. The price of that last step gives every option a loss: the value that taking it costs at least.
   An option that loses more than there is to win is out.
3. Try the others together, those with the least loss first.
4. Nothing untried is better, or `Choice.ceiling` tells how much better it might be.

Nothing here knows pages. Costs and values are whole numbers; costs are above zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

WORK_MAX = 300_000
"""Pairs of an option and a combination that are tried, at most: about half a second. The best for
a few hundred pages takes some tens of thousands. For many thousands of pages at most a 10,000th of
the value then stays open."""

FRONTIER_MAX = 20_000
"""Combinations that are kept. Of more, those with the least loss are kept."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to take a group, with its cost and its value."""

    cost: int
    value: int


NOTHING = Option(0, 0)

Group = Sequence[Option]
"""The options of a group, in the order of their costs. At most one of them is taken."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen options. `taken[i]` is the index of group i's option, -1 for none.

    `bound` is the fractional optimum: the value if parts of options could be taken. `ceiling` is a
    value that no choice exceeds; where it equals `value`, no choice is better.
    """

    taken: tuple[int, ...]
    cost: int
    value: int
    bound: float
    ceiling: int


@dataclass(frozen=True, slots=True)
class _Step:
    """A step from one option of a group's hull to the next: its further cost and value."""

    group: int
    option: int
    cost: int
    value: int


def choose(groups: Sequence[Group], capacity: int) -> Choice:
    """The most value for at most `capacity`."""
    steps = _steps(groups)
    taken, fit, left = _follow(groups, steps, capacity)
    if fit == len(steps):
        cost, value = _totals(groups, taken)
        return Choice(tuple(taken), cost, value, float(value), value)
    value, last = _totals(groups, taken)[1], steps[fit]
    search = _Search(groups, last, value * last.cost + left * last.value, capacity)
    search.consider(_filled(groups, steps[fit:], taken, left))
    search.run()
    cost, value = _totals(groups, search.best)
    return Choice(tuple(search.best), cost, value, search.bound / last.cost, search.ceiling)


def choose_for(groups: Sequence[Group], wanted: int) -> Choice | None:
    """The least cost for a value of at least `wanted`; None where all options together have less.

    `bound` and `ceiling` are then costs: no choice of that value costs less.
    """
    # The same problem from the other end: begin with the most valuable option of each group, and
    # give up at most the value above `wanted` to save the most cost.
    ways = [
        [(0, 0, -1), *((it.cost, it.value, n) for n, it in enumerate(group))] for group in groups
    ]
    most = [max(of_group, key=lambda way: (way[1], -way[0])) for of_group in ways]
    cost, value = sum(way[0] for way in most), sum(way[1] for way in most)
    if value < wanted:
        return None
    cheaper = [
        sorted((top[1] - way[1], top[0] - way[0], way[2]) for way in of_group if way[0] < top[0])
        for of_group, top in zip(ways, most, strict=True)
    ]
    found = choose(
        [[Option(lost, saved) for lost, saved, _ in given] for given in cheaper], value - wanted
    )
    taken = [
        given[it][2] if it >= 0 else top[2]
        for it, given, top in zip(found.taken, cheaper, most, strict=True)
    ]
    return Choice(tuple(taken), *_totals(groups, taken), cost - found.bound, cost - found.ceiling)


def rising(groups: Sequence[Group]) -> list[tuple[int, int]]:
    """The steps from nothing to everything, as pairs of group and option, the best value for cost
    first."""
    return [(step.group, step.option) for step in _steps(groups)]


def _totals(groups: Sequence[Group], taken: Sequence[int]) -> tuple[int, int]:
    chosen = [group[option] for group, option in zip(groups, taken, strict=True) if option >= 0]
    return sum(option.cost for option in chosen), sum(option.value for option in chosen)


def _steps(groups: Sequence[Group]) -> list[_Step]:
    """The steps of all groups, the most value for cost first. Steps of one group keep their
    order."""
    steps = [step for index, group in enumerate(groups) for step in _hull(index, group)]
    steps.sort(key=lambda step: (-step.value / step.cost, step.group, step.option))
    return steps


def _hull(index: int, group: Group) -> list[_Step]:
    """The options that no mixture of others beats, as steps of falling value for cost."""
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
    return [
        _Step(index, number, cost - c, value - v) for (c, v, _), (cost, value, number) in pairs
    ]


def _is_below(before: tuple[int, int, int], point: tuple[int, int, int], option: Option) -> bool:
    """Whether the middle one lies on or below the line between its neighbours."""
    rise = (point[1] - before[1]) * (option.cost - before[0])
    return rise <= (option.value - before[1]) * (point[0] - before[0])


def _follow(
    groups: Sequence[Group], steps: Sequence[_Step], capacity: int
) -> tuple[list[int], int, int]:
    """The options taken before the first step that does not fit, the number of that step, and the
    room that is left."""
    taken = [-1] * len(groups)
    left = max(0, capacity)
    for number, step in enumerate(steps):
        if step.cost > left:
            return taken, number, left
        taken[step.group] = step.option
        left -= step.cost
    return taken, len(steps), left


def _filled(
    groups: Sequence[Group], steps: Sequence[_Step], taken: Sequence[int], left: int
) -> list[int]:
    """The options taken, and of each group, in the order of the steps left, the most valuable
    option for which there is room."""
    filled = list(taken)
    for index in dict.fromkeys(step.group for step in steps):
        group = groups[index]
        now = best = group[filled[index]] if filled[index] >= 0 else NOTHING
        room = now.cost + left
        for number, option in enumerate(group):
            if option.cost > room:
                break
            if option.value > best.value:
                best, filled[index] = option, number
        left = room - best.cost
    return filled


@dataclass(frozen=True, slots=True)
class _Open:
    """A group with several options that may be in a better choice; none (-1) is one of them.

    `options` are (loss, number, cost, value). The first has no loss.
    """

    group: int
    options: list[tuple[int, int, int, int]]


_Chain = tuple[int, int, "_Chain | None"]
"""The group and the option that were taken last, and the chain of those before."""

_Combination = tuple[int, int, int, _Chain | None]
"""Cost, value and loss of one option of each group so far, and the chain of these options."""


class _Search:
    """Searches for combinations of options that are better than the best so far.

    The gain of an option is its value less its cost at the price of the last step. Its loss is the
    difference to the best gain in its group. Both are multiplied by the cost of the last step, so
    that they are whole numbers. `bound` is the fractional optimum. The value of a choice is at
    most `bound` less the losses of its options.
    """

    def __init__(self, groups: Sequence[Group], last: _Step, bound: int, capacity: int) -> None:
        self._groups, self._price, self._scale = groups, last.value, last.cost
        self._capacity = max(0, capacity)
        self.bound, self.ceiling = bound, 0
        self.best: list[int] = [-1] * len(groups)
        self._value = 0

    def consider(self, taken: Sequence[int]) -> None:
        """Keep a choice if it is better than the best so far."""
        value = _totals(self._groups, taken)[1]
        if value > self._value:
            self.best, self._value = list(taken), value

    @property
    def _loss_max(self) -> int:
        """The largest loss that a better choice may have; below 0 where there is none."""
        return self.bound - (self._value + 1) * self._scale

    def run(self) -> None:
        """Find the best choice, or a good one and a `ceiling` for all others."""
        taken, opened = self._open_groups()
        settled_cost, settled_value = _totals(self._groups, taken)
        rest_cost = settled_cost + sum(it.options[0][2] for it in opened)
        rest_value = settled_value + sum(it.options[0][3] for it in opened)
        frontier: list[_Combination] = [(0, 0, 0, None)]
        work = 0
        for it in opened:
            # The groups are sorted: any other option of a group from here on loses at least this.
            least = it.options[1][0]
            if least > self._loss_max:
                break
            work += len(frontier) * len(it.options)
            if work > WORK_MAX:
                self._give_up(min(combination[2] for combination in frontier) + least)
                break
            rest_cost -= it.options[0][2]
            rest_value -= it.options[0][3]
            frontier = self._thinned(self._grown(frontier, it, self._capacity - settled_cost))
            fit = bisect_right(frontier, self._capacity - rest_cost, key=itemgetter(0))
            if fit and frontier[fit - 1][1] + rest_value > self._value:
                self.consider(self._completed(taken, opened, frontier[fit - 1][3]))
        self.ceiling = max(self.ceiling, self._value)

    def _give_up(self, loss: int) -> None:
        """Leave choices untried that lose `loss` or more."""
        self.ceiling = max(self.ceiling, (self.bound - loss) // self._scale)

    def _open_groups(self) -> tuple[list[int], list[_Open]]:
        """The options of the settled groups, and the open groups in the order of their least
        loss."""
        settled = [-1] * len(self._groups)
        opened: list[_Open] = []
        most = self._loss_max
        for index, group in enumerate(self._groups):
            gains = [
                0,
                *(option.value * self._scale - option.cost * self._price for option in group),
            ]
            top = max(gains)
            if len(gains) == 2 and abs(gains[1]) > most:
                settled[index] = gains.index(top) - 1
                continue
            good = [number for number, gain in enumerate(gains) if top - gain <= most]
            if len(good) < 2:
                settled[index] = gains.index(top) - 1
                continue
            cost_value = [(0, 0), *((option.cost, option.value) for option in group)]
            options = sorted(
                (top - gains[number], number - 1, *cost_value[number]) for number in good
            )
            opened.append(_Open(index, options))
        opened.sort(key=lambda it: (it.options[1][0], it.group))
        return settled, opened

    def _grown(self, frontier: list[_Combination], it: _Open, room: int) -> list[_Combination]:
        """Each combination with each option, without those that cannot lead to a better choice."""
        most = self._loss_max
        grown: list[_Combination] = []
        for loss, number, cost, value in it.options:
            if loss > most:
                break
            grown += [
                (
                    before[0] + cost,
                    before[1] + value,
                    before[2] + loss,
                    (it.group, number, before[3]),
                )
                for before in frontier
                if before[2] + loss <= most and before[0] + cost <= room
            ]
        grown.sort(key=lambda combination: (combination[0], -combination[1]))
        kept: list[_Combination] = []
        best = -1
        for combination in grown:
            if combination[1] > best:
                best = combination[1]
                kept.append(combination)
        return kept

    def _thinned(self, frontier: list[_Combination]) -> list[_Combination]:
        """The combinations, or the FRONTIER_MAX with the least loss if there are more."""
        if len(frontier) <= FRONTIER_MAX:
            return frontier
        by_loss = sorted(frontier, key=itemgetter(2))
        self._give_up(by_loss[FRONTIER_MAX][2])
        return sorted(by_loss[:FRONTIER_MAX], key=itemgetter(0))

    def _completed(
        self, settled: list[int], opened: list[_Open], chain: _Chain | None
    ) -> list[int]:
        """A combination's options, and for all other groups the options without loss."""
        taken = list(settled)
        for it in opened:
            taken[it.group] = it.options[0][1]
        while chain:
            group, option, chain = chain
            taken[group] = option
        return taken
