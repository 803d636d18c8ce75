# SPDX-License-Identifier: MIT
"""Which functions the used pages show to be used."""

from __future__ import annotations

import random

import pytest

from support.profile_cases import STEADY, use
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.decide import Decision, decide, is_recording_link
from tinyprof.plan.ordering.program import Function, Program
from tinyprof.profile.model import PageUse
from tinyprof.profile.temperature import Temperature


def program(*functions: tuple[int, int, str], size: int = 8 * PAGE_SIZE) -> Program:
    """Functions by first byte, size and name, in a file that is all code."""
    made = sorted(Function(at, length, name, True) for at, length, name in functions)
    return Program(size, tuple(made), ((0, size),))


def verdicts(decision: Decision) -> dict[str, bool]:
    """The names that are not cold: whether each is known to be used."""
    return {it.function.name: it.sure for it in decision.judgements}


HOT = use(x=STEADY)


def test_a_function_that_begins_a_page_is_known_exactly() -> None:
    found = program(*((page * PAGE_SIZE, 100, f"f{page}") for page in range(8)))
    assert is_recording_link(found)
    decision = decide(found, {1: HOT, 5: HOT}, STEADY)
    assert verdicts(decision) == {"f1": True, "f5": True}
    assert (decision.used, decision.candidates, decision.cold) == (2, 0, 6)
    assert (decision.ordinary, decision.ordered) == (1, 1)


def test_functions_that_share_a_used_page_are_candidates() -> None:
    found = program((0, 2000, "a"), (2000, 2096, "b"), (PAGE_SIZE, PAGE_SIZE, "c"))
    assert not is_recording_link(program((0, 2000, "a"), (2000, 2096, "b")))
    decision = decide(found, {0: HOT}, STEADY)
    assert verdicts(decision) == {"a": False, "b": False}


def test_a_function_whose_first_page_was_never_used_was_not_entered() -> None:
    found = program((100, 5000, "tail"), (5100, 3092, "last"), (8192, 10, "far"))
    decision = decide(found, {1: HOT}, STEADY)
    # Its tail lies on the used page. So the only other function there was executed.
    assert verdicts(decision) == {"last": True}


def test_a_cold_part_may_be_entered_anywhere() -> None:
    found = program((100, 5000, "big.cold"), (5100, 3092, "last"))
    assert verdicts(decide(found, {1: HOT}, STEADY)) == {"big.cold": False, "last": False}


def test_a_lone_function_beside_unnamed_bytes_is_a_candidate() -> None:
    found = program((0, 100, "lone"), (5000, 10, "x"), (6000, 10, "y"), (7000, 10, "z"))
    assert verdicts(decide(found, {0: HOT}, STEADY)) == {"lone": False}


@pytest.mark.parametrize("kind", ["f", "w"])
def test_pages_that_were_only_read_or_copied_show_nothing(kind: str) -> None:
    found = program(*((page * PAGE_SIZE, 100, f"f{page}") for page in range(8)))
    assert decide(found, {1: use(**{kind: STEADY})}, STEADY).judgements == ()


def test_a_function_is_as_hot_as_the_page_on_which_it_is_entered() -> None:
    found = program((0, 8192, "start"), (8192, 10, "loop"))
    once = use(x=0)
    decision = decide(found, {0: once, 1: HOT, 2: HOT}, STEADY)
    temperatures = {it.function.name: it.temperature for it in decision.judgements}
    assert temperatures == {"start": Temperature.ONCE, "loop": Temperature.HOT}


def test_used_code_without_a_symbol_is_counted() -> None:
    found = program((0, 4096, "a"), (4096, 4096, "b"))
    decision = decide(found, {0: HOT, 5: HOT}, STEADY)
    assert (decision.bare, decision.pages, decision.ordered) == (1, 2, 2)


def test_symbols_that_lie_cost_no_time_and_break_nothing() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    size = 64 * PAGE_SIZE + 17
    made = []
    for number in range(3000):
        at = rng.randrange(size)
        made.append((at, rng.randrange(1, size - at + 1), f"f{number}"))
    pages: dict[int, PageUse] = {page: HOT for page in range(200) if rng.random() < 0.5}
    decision = decide(program(*made, size=size), pages, STEADY)
    assert decision.used + decision.candidates + decision.cold == len({it[:2] for it in made})
    assert decision.hot_bytes <= size + 4 * len(made)


def test_functions_of_random_layout_are_never_called_cold_where_they_ran() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(50):
        at = 0
        made: list[tuple[int, int, str]] = []
        while at < 7 * PAGE_SIZE:
            size = rng.choice((20, 200, 2000, 9000))
            made.append((at, size, f"f{len(made)}"))
            at += size + rng.choice((0, 0, 8))
        ran = {name for _, _, name in made if rng.random() < 0.2}
        pages = {
            page: HOT
            for start, size, name in made
            if name in ran
            for page in range(start // PAGE_SIZE, (start + size - 1) // PAGE_SIZE + 1)
        }
        found = verdicts(decide(program(*made, size=at), pages, STEADY))
        assert ran <= found.keys()
        assert {name for name, sure in found.items() if sure} <= ran
