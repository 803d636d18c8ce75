# SPDX-License-Identifier: MIT
"""How the functions of a program are sorted, and found again in another build."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tinyprof.plan.ordering.decide import Judgement
from tinyprof.plan.ordering.order import OrderedName, carried, entries_of, settled, stem
from tinyprof.plan.ordering.program import Function, Program
from tinyprof.profile.temperature import Temperature

HOT, WARM, ONCE = Temperature.HOT, Temperature.WARM, Temperature.ONCE


def judged(
    name: str, kind: Temperature = HOT, *, sure: bool = True, first: int = 1, at: int = 0
) -> Judgement:
    return Judgement(Function(at, 100, name, True), sure, kind, first)


def program(*names: str) -> Program:
    functions = (Function(100 * at, 100, name, True) for at, name in enumerate(names))
    return Program(1 << 20, tuple(functions), ((0, 1 << 20),))


def names_of(entries: list[OrderedName]) -> list[str]:
    return [entry.name for entry in entries]


def test_steady_comes_first_then_warm_then_start_up_as_it_ran() -> None:
    found = entries_of(
        program(),
        [
            judged("late", ONCE, first=3, at=0),
            judged("early", ONCE, first=1, at=900),
            judged("warm", WARM, at=100),
            judged("second", HOT, first=9, at=300),
            judged("maybe", HOT, sure=False, at=50),
            judged("first", HOT, first=2, at=200),
        ],
    )
    assert names_of(found) == ["first", "second", "maybe", "warm", "early", "late"]


def test_of_functions_of_one_name_the_hottest_counts() -> None:
    both = Program(
        1000, (Function(0, 9, "init", True), Function(500, 9, "init", True)), ((0, 1000),)
    )
    judgements = [judged("init", ONCE, at=0), judged("init", HOT, at=500)]
    (entry,) = entries_of(both, judgements)
    assert (entry.temperature, entry.functions) == (HOT, 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("foo", "foo"),
        ("foo.constprop.0", "foo"),
        ("foo.part.0.isra.1", "foo"),
        ("foo.cold", "foo"),
        ("foo.part.0.cold.3", "foo"),
        ("foo.llvm.1234567890", "foo"),
        ("_ZN3std2io5Write9write_fmt17h0123456789abcdefE", None),
        ("foo.v2", "foo.v2"),
        (".cold", ".cold"),
    ],
)
def test_a_clone_is_known_by_its_stem(name: str, expected: str | None) -> None:
    assert stem(name) == (expected or name)


def test_an_order_is_carried_over_to_a_new_build_by_names_and_stems() -> None:
    old = entries_of(
        program(), [judged(name) for name in ("kept", "cloned.constprop.0", "inlined", "plain")]
    )
    new = program("kept", "cloned.constprop.3", "fresh", "plain.isra.0", "plain.part.0")
    found, gone = carried(old, new)
    assert names_of(found) == ["cloned.constprop.3", "kept", "plain.isra.0", "plain.part.0"]
    assert gone == ["inlined"]


def test_recordings_that_saw_the_same_give_the_same_order() -> None:
    """The epochs of hot pages differ from recording to recording. They move nothing."""
    rng = random.Random(4)
    names = [f"f{number}" for number in range(50)]
    one, two = (
        entries_of(
            program(),
            [judged(name, at=at, first=rng.randrange(1, 9)) for at, name in enumerate(names)],
        )
        for _ in range(2)
    )
    assert names_of(one) == names_of(two)


def test_an_order_that_is_there_keeps_its_lines() -> None:
    names = [f"f{number}" for number in range(9)]
    fresh = entries_of(program(), [judged(name, at=at) for at, name in enumerate(names)])
    before = {"hot": ["f8", "gone", "f0", "f3"]}
    found = names_of(settled(fresh, before))
    assert sorted(found) == sorted(names)
    assert [name for name in found if name in ("f8", "f0", "f3")] == ["f8", "f0", "f3"]


def test_a_function_that_cools_moves_no_other() -> None:
    fresh = entries_of(program(), [judged(f"f{at}", at=at) for at in range(9)])
    cooled = [replace(entry, temperature=WARM) if entry.name == "f4" else entry for entry in fresh]
    found = names_of(settled(cooled, {"hot": names_of(fresh)}))
    assert found == ["f0", "f1", "f2", "f3", "f5", "f6", "f7", "f8", "f4"]
