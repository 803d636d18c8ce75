# SPDX-License-Identifier: MIT
"""What a kernel can have of a file in place."""

from __future__ import annotations

from dataclasses import replace

from elf_cases import for_riscv
from profile_cases import candidate, use
from tinyprof.offers import any_page, leading_runs, split_runs, whole_parts
from tinyprof.selection import Target, select


def test_each_kernel_is_offered_what_it_can_map() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(x=10)})
    assert [[list(offer.pages) for offer in offers] for offers in any_page(file)] == [[[2]], [[5]], [[11]]]
    (runs,) = leading_runs(file)
    assert [(list(offer.pages), offer.value) for offer in runs] == [([0, 1, 2], 4096), (list(range(6)), 8192)]
    ((whole,),) = whole_parts(file)
    assert (list(whole.pages), whole.value) == (list(range(10)), 8192)


def test_code_of_risc_v_programs_is_offered_to_no_kernel_that_would_crash_on_it() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(r=10)})
    file = replace(file, head=for_riscv(file.head))
    assert [[list(offer.pages) for offer in offers] for offers in any_page(file)] == [[[11]]]
    assert leading_runs(file) == split_runs(2048)(file) == []
    assert len(whole_parts(file)) == 1


def test_a_model_of_ones_own_joins_in() -> None:
    """As for split segments: a model is a function from a file to offers."""
    file = candidate({2: use(x=10), 5: use(x=10)})
    chosen = select(
        [file], lambda file: [offers for offers in any_page(file) if 2 in offers[0].pages], Target()
    )
    assert chosen.pages == {"/f": frozenset({2})}
