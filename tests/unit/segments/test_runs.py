# SPDX-License-Identifier: MIT
"""The choice of runs: held to trying out everything, and to what the words promise."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyprof.segments.runs import RunChoice, choose_items, choose_runs, items_of

SEED = 20261124

small = st.lists(st.integers(-6, 9), min_size=1, max_size=6)


def every_choice(
    segments: Sequence[Sequence[int]], prices: Sequence[float]
) -> Iterator[tuple[float, int]]:
    """The worth and the cuts of every allowed choice of pages, by the rule and not by a
    programme."""
    for bits in product(*(product((False, True), repeat=len(worths)) for worths in segments)):
        each = [sum(b and not a for a, b in pairwise(chosen)) for chosen in bits]
        cuts = sum(each)
        first_missing = any(
            count and not chosen[0] for count, chosen in zip(each, bits, strict=True)
        )
        if first_missing or (cuts and not bits[0][0]) or cuts >= len(prices):
            continue
        worth = sum(
            value
            for worths, chosen in zip(segments, bits, strict=True)
            for value, one in zip(worths, chosen, strict=True)
            if one
        )
        yield worth - prices[cuts], cuts


def worth_of(
    choice: RunChoice, segments: Sequence[Sequence[int]], prices: Sequence[float]
) -> float:
    chosen = sum(
        worths[page]
        for worths, pages in zip(segments, choice.pages, strict=True)
        for page in pages
    )
    return chosen - prices[choice.cuts]


def cuts_of(pages: Sequence[int]) -> int:
    return sum(page and page - 1 not in pages for page in pages)


@given(
    st.lists(small, min_size=1, max_size=3).filter(lambda segments: sum(map(len, segments)) <= 11),
    st.lists(st.integers(0, 8), max_size=5),
)
def test_no_other_choice_is_worth_more(segments: list[list[int]], steps: list[int]) -> None:
    prices = [0.0]
    for step in steps:
        prices.append(prices[-1] + step)
    choice = choose_runs(segments, prices)
    assert choice.worth == max(worth for worth, _ in every_choice(segments, prices))
    assert choice.worth == worth_of(choice, segments, prices)
    assert choice.cuts == sum(map(cuts_of, choice.pages))
    assert choice.cuts == min(
        cuts for worth, cuts in every_choice(segments, prices) if worth == choice.worth
    )


def test_a_gap_is_bridged_where_its_flash_is_cheaper_than_a_mapping() -> None:
    segment = [9, -1, -1, 9]
    assert choose_runs([segment], [0, 3]).pages == ((0, 1, 2, 3),)
    assert choose_runs([segment], [0, 1]).pages == ((0, 3),)


def test_a_lonely_page_is_left_out_where_it_is_not_worth_a_mapping() -> None:
    assert choose_runs([[9, -9, -9, 2]], [0, 3]) == RunChoice(((0,),), 0, 9)


def test_a_cold_first_page_goes_in_place_for_the_sake_of_what_follows() -> None:
    assert choose_runs([[-2, -9, 9, 9]], [0, 1]) == RunChoice(((0, 2, 3),), 1, 15)
    assert choose_runs([[-2, -2], [9, -9, 9]], [0, 1]) == RunChoice(((0,), (0, 2)), 1, 15)


def test_the_number_of_cuts_stays_within_the_prices_given() -> None:
    segment = [9, -90] * 20
    assert choose_runs([segment], [0.0] * 4).cuts == 3
    assert choose_runs([segment], [0.0]).pages == ((0,),)


def test_nothing_hot_is_nothing_in_place() -> None:
    assert choose_runs([[-1, -1], [], [-3]], [0, 0]) == RunChoice(((), (), ()), 0, 0)


def test_a_large_file_is_chosen_in_one_go() -> None:
    segment = [(7 if page * 7919 % 11 < 4 else -2) for page in range(4000)]
    assert choose_runs([segment], [5.0 * cuts for cuts in range(120)]).cuts == 119


def test_items_at_one_price_a_cut_give_the_choice_of_the_whole_programme() -> None:
    """choose_items() is the quick way where each cut costs the same."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for _ in range(400):
        sizes = [rng.randrange(14) for _ in range(rng.randrange(1, 4))]
        values = [
            [rng.choice((0, 0, 4096, rng.randrange(64, 4096))) for _ in range(n)] for n in sizes
        ]
        costs = [[rng.randrange(1, 4000) for _ in range(n)] for n in sizes]
        flash, cut = rng.random() * 2, rng.choice((0.0, 100.0, 3000.0))
        worths = [
            [value - flash * cost for value, cost in zip(*pair, strict=True)]
            for pair in zip(values, costs, strict=True)
        ]
        items = [items_of(*pair) for pair in zip(values, costs, strict=True)]
        slow = choose_runs(worths, [cut * cuts for cuts in range(60)])
        quick = choose_items(items, flash, cut, 59)
        assert quick
        assert (quick.pages, quick.cuts) == (slow.pages, slow.cuts)
        assert quick.worth == pytest.approx(slow.worth)


def test_items_give_no_choice_with_more_cuts_than_are_allowed() -> None:
    items = [items_of([4096, 0, 4096, 0, 4096], [100, 4000, 100, 4000, 100])]
    choice = choose_items(items, 1.0, 10.0, 2)
    assert choice
    assert (choice.pages, choice.cuts) == (((0, 2, 4),), 2)
    assert choose_items(items, 1.0, 10.0, 1) is None
