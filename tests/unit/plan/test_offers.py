# SPDX-License-Identifier: MIT
"""What a kernel can have of a file in place."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from support.elf_cases import for_riscv
from support.profile_cases import STEADY, candidate, program_head, use
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.offers import (
    Hull,
    any_page,
    leading_runs,
    offered_by,
    split_segment_offers,
    whole_parts,
)
from tinyprof.plan.selection import Target, select
from tinyprof.plan.value import Candidate
from tinyprof.segments.runs import choose_runs

SEED = 20261124


def test_each_kernel_is_offered_what_it_can_map() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(x=10)})
    assert [[list(offer.pages) for offer in offers] for offers in any_page(file)] == [
        [[2]],
        [[5]],
        [[11]],
    ]
    (runs,) = leading_runs(file)
    assert [(list(offer.pages), offer.value) for offer in runs] == [
        ([0, 1, 2], 4096),
        (list(range(6)), 8192),
    ]
    ((whole,),) = whole_parts(file)
    assert (list(whole.pages), whole.value) == (list(range(10)), 8192)


def test_code_of_risc_v_programs_is_offered_to_no_kernel_that_would_crash_on_it() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(r=10)})
    file = replace(file, head=for_riscv(file.head))
    assert [[list(offer.pages) for offer in offers] for offers in any_page(file)] == [[[11]]]
    assert leading_runs(file) == split_segment_offers(lambda _: 2048)(file) == []
    assert len(whole_parts(file)) == 1


def test_code_of_risc_v_programs_is_offered_to_a_mended_kernel() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(r=10)})
    mended = replace(file, head=for_riscv(file.head), riscv_code=True)
    assert any_page(mended) == any_page(file)
    assert leading_runs(mended) == leading_runs(file)


def test_a_model_of_ones_own_joins_in() -> None:
    """As for split segments: a model is a function from a file to offers."""
    file = candidate({2: use(x=10), 5: use(x=10)})
    offered = offered_by(
        [file], lambda it: [offers for offers in any_page(it) if 2 in offers[0].pages]
    )
    chosen = select(offered, Target())
    assert chosen.pages == {"/f": frozenset({2})}


def test_what_a_large_file_is_not_offered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    pages = 120
    stored = [rng.randrange(900, 4097) for _ in range(pages)]
    uses = {page: use(x=rng.randrange(1, 11)) for page in range(1, pages - 2)}
    file = Candidate("/f", pages * PAGE_SIZE, program_head(pages - 2), stored, uses, STEADY)
    model = split_segment_offers(lambda _: 500.0)
    (whole,) = model(file)
    monkeypatch.setattr("tinyprof.plan.offers.WORK_MAX", 0)
    monkeypatch.setattr("tinyprof.plan.offers.CALLS_LEAST", 8)
    (short,) = model(file)
    assert isinstance(whole, Hull)
    assert isinstance(short, Hull)
    assert (len(short) <= 9 < len(whole), whole.missed) == (True, 0)
    assert 0 < short.missed < short[-1].value / 10
    for budget in range(4096, whole[-1].cost, 9000):
        best = select([("/f", whole)], Target(flash=budget))
        told = select([("/f", short)], Target(flash=budget))
        assert told.value <= best.value <= told.bound
        for_ram = select([("/f", short)], Target(ram=best.value))
        assert for_ram.bound <= best.cost


def test_offers_of_runs_are_the_best_at_any_price_of_flash() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    pages, mapping = 60, 1500.0
    stored = [rng.randrange(900, 4097) for _ in range(pages)]
    uses = {page: use(x=rng.randrange(11)) for page in rng.sample(range(pages - 2), 25)}
    file = Candidate("/f", pages * PAGE_SIZE, program_head(pages - 2), stored, uses, STEADY)
    (offers,) = split_segment_offers(lambda _: mapping)(file)
    assert [offer.cost for offer in offers] == sorted({offer.cost for offer in offers})
    worth_of = [(file.value(page), file.cost(page)) for page in range(pages - 2)]
    prices = [cuts * mapping for cuts in range(30)]
    best = 0.0
    for price in (rng.uniform(0, 3) for _ in range(300)):
        runs = choose_runs([[value - price * cost for value, cost in worth_of]], prices)
        offered = max(offer.value - price * offer.cost for offer in offers)
        assert max(0.0, offered) >= max(0.0, runs.worth) - 1
        best = max(best, offered)
    assert best > 0
    assert len(offers) > 5
