# SPDX-License-Identifier: MIT
"""The knapsack: never over its capacity, and as good as the best there is, which it says."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tinyprof.plan import knapsack
from tinyprof.plan.knapsack import Choice, Option, choose, choose_for

SEED = 20261124
Groups = list[list[Option]]


def random_groups(rng: random.Random, count: int, dearest: int = 3000) -> Groups:
    groups = []
    for _ in range(count):
        costs = sorted(rng.sample(range(1, dearest), rng.randrange(1, 4)))
        groups.append([Option(cost, rng.randrange(0, 4097)) for cost in costs])
    return groups


def runs(rng: random.Random, count: int) -> Groups:
    """As a stock kernel has it: many options a group, each with all that the one before has."""
    groups = []
    for _ in range(count):
        cost = value = 0
        group = []
        for _ in range(rng.randrange(1, 12)):
            cost, value = cost + rng.randrange(1, 60), value + rng.choice([0, 0, 64, 4096, 4096])
            group.append(Option(cost, value))
        groups.append(group)
    return groups


def alike(rng: random.Random, count: int) -> Groups:
    """As pages often are: nearly all worth the same, so that very many choices are nearly as
    good."""
    return [
        [Option(rng.randrange(50, 60), rng.choice([4096, 4096, 4096, 64]))] for _ in range(count)
    ]


def is_what_it_says(groups: Groups, found: Choice) -> bool:
    chosen = [
        group[option] for group, option in zip(groups, found.taken, strict=True) if option >= 0
    ]
    return (found.cost, found.value) == (
        sum(it.cost for it in chosen),
        sum(it.value for it in chosen),
    )


def best_by_cost(groups: Groups, most: int) -> list[int]:
    """The most value for each cost up to `most`: every cost of every option, a group after the
    other."""
    best = [0] * (most + 1)
    for group in groups:
        before = list(best)
        for option in group:
            for cost in range(option.cost, most + 1):
                best[cost] = max(best[cost], before[cost - option.cost] + option.value)
    return best


@pytest.mark.parametrize("seed", range(SEED, SEED + 40))
def test_it_finds_the_best_of_few(seed: int) -> None:
    rng = random.Random(seed)
    groups = random_groups(rng, 6)
    capacity = rng.randrange(0, 9000)
    found = choose(groups, capacity)
    ways = product(*[[Option(0, 0), *group] for group in groups])
    best = max(sum(o.value for o in way) for way in ways if sum(o.cost for o in way) <= capacity)
    assert is_what_it_says(groups, found)
    assert found.cost <= capacity
    assert found.value == best == found.ceiling <= found.bound


@pytest.mark.parametrize("kind", [runs, alike, lambda rng, count: random_groups(rng, count, 100)])
def test_it_finds_the_best_of_many_and_says_so(kind: object) -> None:
    assert callable(kind)
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for _ in range(6):
        groups = kind(rng, 40)
        best = best_by_cost(groups, 1200)
        for capacity in (0, 59, 200, 555, 1200):
            found = choose(groups, capacity)
            assert is_what_it_says(groups, found)
            assert found.cost <= capacity
            assert found.value == best[capacity] == found.ceiling <= found.bound
            cheapest = choose_for(groups, found.value)
            assert cheapest
            assert is_what_it_says(groups, cheapest)
            assert cheapest.value >= found.value
            assert cheapest.cost == best.index(found.value) == cheapest.ceiling >= cheapest.bound


@pytest.mark.parametrize("limit", ["WORK_MAX", "FRONTIER_MAX"])
def test_where_it_gives_up_it_says_how_much_better_the_best_may_be(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    print(f"seed {SEED}")
    monkeypatch.setattr(knapsack, limit, 1)
    rng = random.Random(SEED)
    missed = 0
    for _ in range(40):
        groups = runs(rng, 30)
        best = best_by_cost(groups, 700)
        for capacity in range(100, 701, 100):
            found = choose(groups, capacity)
            assert found.value <= best[capacity] <= found.ceiling <= found.bound
            missed += found.value < best[capacity]
    assert missed


def test_it_is_next_to_the_bound_for_many() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    groups = random_groups(rng, 400)
    for capacity in (5_000, 50_000, 200_000):
        found = choose(groups, capacity)
        assert found.cost <= capacity
        assert 0.995 * found.bound <= found.value <= found.bound


def test_room_is_filled_from_groups_whose_hulls_have_no_step_so_small() -> None:
    """As a stock kernel has it, of two programs whose pages are all alike: the hull of each is one
    step."""
    groups = [[Option(2000 * pages, 4096 * pages) for pages in range(1, 1001)] for _ in range(2)]
    found = choose(groups, 3_000_000)
    assert (found.cost, found.value, found.ceiling) == (3_000_000, 1500 * 4096, 1500 * 4096)


def test_a_later_option_is_taken_where_the_first_ones_are_worth_nothing() -> None:
    """As a stock kernel has it: the cold pages before a hot one have to come along."""
    assert choose([[Option(10, 0), Option(20, 0), Option(30, 9)]], 30).taken == (2,)
    assert choose([[Option(10, 0), Option(20, 0), Option(30, 9)]], 29).taken == (-1,)


def test_a_wanted_value_is_reached_at_the_least_cost() -> None:
    groups = [[Option(10, 100)], [Option(20, 100)], [Option(1000, 150)]]
    found = choose_for(groups, 190)
    assert found is not None
    assert (found.taken, found.cost, found.ceiling) == ((0, 0, -1), 30, 30)
    assert choose_for(groups, 351) is None
    assert choose_for(groups, 350) is not None
    assert choose_for(groups, 0) == Choice((-1, -1, -1), 0, 0, 0, 0)
