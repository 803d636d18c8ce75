# SPDX-License-Identifier: MIT
"""The knapsack: never over its capacity, never over its bound, and next to what trying everything finds."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tinyprof.knapsack import Option, choose, choose_for

SEED = 20261124


def random_groups(rng: random.Random, count: int) -> list[list[Option]]:
    groups = []
    for _ in range(count):
        costs = sorted(rng.sample(range(1, 3000), rng.randrange(1, 4)))
        groups.append([Option(cost, rng.randrange(0, 4097)) for cost in costs])
    return groups


def best_of_all(groups: list[list[Option]], capacity: int) -> int:
    ways = product(*[[Option(0, 0), *group] for group in groups])
    return max(sum(o.value for o in way) for way in ways if sum(o.cost for o in way) <= capacity)


@pytest.mark.parametrize("seed", range(SEED, SEED + 40))
def test_it_finds_the_best_of_few(seed: int) -> None:
    rng = random.Random(seed)
    groups = random_groups(rng, 6)
    capacity = rng.randrange(0, 9000)
    found = choose(groups, capacity)
    chosen = [group[option] for group, option in zip(groups, found.taken, strict=True) if option >= 0]
    assert (found.cost, found.value) == (sum(o.cost for o in chosen), sum(o.value for o in chosen))
    assert found.cost <= capacity
    assert found.value == best_of_all(groups, capacity) <= found.bound


def test_it_is_next_to_the_bound_for_many() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    groups = random_groups(rng, 400)
    for capacity in (5_000, 50_000, 200_000):
        found = choose(groups, capacity)
        assert found.cost <= capacity
        assert 0.995 * found.bound <= found.value <= found.bound


def test_a_later_option_is_taken_where_the_first_ones_are_worth_nothing() -> None:
    """As a stock kernel has it: the cold pages before a hot one have to come along."""
    assert choose([[Option(10, 0), Option(20, 0), Option(30, 9)]], 30).taken == (2,)
    assert choose([[Option(10, 0), Option(20, 0), Option(30, 9)]], 29).taken == (-1,)


def test_a_wanted_value_is_reached_at_little_cost() -> None:
    groups = [[Option(10, 100)], [Option(20, 100)], [Option(1000, 150)]]
    found = choose_for(groups, 190)
    assert found is not None
    assert (found.taken, found.cost) == ((0, 0, -1), 30)
    assert found.bound <= 30
    assert choose_for(groups, 351) is None
