# SPDX-License-Identifier: MIT
"""Sorts the functions of a program for its linker: a decision in, a link order out.

1. By temperature: hot, warm, once (start-up). Cold functions are not in it.
2. The functions that are known to be used come before the candidates.
3. Start-up stands in the order of its first touches, as far as epochs tell them apart.
4. Candidates stand by their size, the largest first. In the next recording a large one is alone on
   a page, so that it is decided.
5. Else the order of the link that was recorded stays: neighbours were written together.

So a page that was seen an epoch more or less moves no other line. An order that is there already
keeps its lines where their class has not changed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tinyprof.plan.ordering.decide import Judgement
from tinyprof.plan.ordering.program import Program
from tinyprof.profile.temperature import Temperature

_CLONE = re.compile(r"(?:\.(?:constprop|isra|part|cold|lto_priv|llvm|localalias)(?:\.[0-9]+)*)+$")
"""The end of a name that a compiler gives to a clone or a part of a function."""

CLASSES = (Temperature.HOT, Temperature.WARM, Temperature.ONCE)


@dataclass(frozen=True, slots=True)
class OrderedName:
    """A name of a link order.

    - `sections`: its input sections where a linker map told them.
    - `split`: its cold part is a function of its own.
    - `functions`: number of functions of this name in the program. A linker moves them all.
    """

    name: str
    code: bool
    temperature: Temperature
    sure: bool
    first: int
    offset: int
    size: int = 0
    sections: tuple[str, ...] = ()
    split: bool = False
    functions: int = 1

    @property
    def rank(self) -> tuple[int, bool, int, int, int, str]:
        """Where the entry stands in an order."""
        first = self.first if self.temperature is Temperature.ONCE else 0
        size = 0 if self.sure else -self.size
        kind = CLASSES.index(self.temperature)
        return kind, not self.sure, first, size, self.offset, self.name


def stem(name: str) -> str:
    """The name of the function that a clone or a part was made of."""
    return _CLONE.sub("", name) or name


def entries_of(program: Program, judgements: Iterable[Judgement]) -> list[OrderedName]:
    """The names to order, sorted. Of several functions of one name the hottest counts."""
    best: dict[tuple[str, bool], Judgement] = {}
    sections: dict[str, set[str]] = defaultdict(set)
    for judgement in judgements:
        it = judgement.function
        if it.section:
            sections[it.name].add(it.section)
        known = best.setdefault((it.name, it.code), judgement)
        if known is not judgement and _heat(judgement) < _heat(known):
            best[it.name, it.code] = judgement
    places = Counter(name for name, _ in {(it.name, it.offset) for it in program.functions})
    names = [
        OrderedName(
            name,
            code,
            judgement.temperature,
            judgement.sure,
            judgement.first,
            judgement.function.offset,
            judgement.function.size,
            tuple(sorted(sections.get(name, ()))),
            f"{name}.cold" in places,
            places[name],
        )
        for (name, code), judgement in best.items()
    ]
    return sorted(names, key=lambda name: name.rank)


def _heat(judgement: Judgement) -> tuple[int, bool, int, int]:
    """Which of several functions of one name counts: the hottest, known best, earliest."""
    kind = CLASSES.index(judgement.temperature)
    return kind, not judgement.sure, judgement.first, judgement.function.offset


def carried(
    entries: Iterable[OrderedName], program: Program
) -> tuple[list[OrderedName], list[str]]:
    """The entries by the names of another build of their program, and the names that are gone.

    A name that is there stays. A clone whose number or kind has changed is found by its stem.
    """
    names = {(it.name, it.code): it for it in program.functions}
    by_stem: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for name, code in names:
        by_stem[stem(name), code].append(name)
    found: dict[tuple[str, bool], OrderedName] = {}
    gone = []
    for entry in entries:
        key = entry.name, entry.code
        new = [entry.name] if key in names else by_stem.get((stem(entry.name), entry.code), [])
        if not new:
            gone.append(entry.name)
        for name in sorted(new):
            it = names[name, entry.code]
            moved = replace(
                entry,
                name=name,
                sections=(it.section,) if it.section else (),
                split=(f"{name}.cold", True) in names,
            )
            found.setdefault((name, entry.code), moved)
    return list(found.values()), gone


def settled(
    entries: Sequence[OrderedName],
    before: Mapping[str, Sequence[str]],
    name_of: Callable[[OrderedName], str] = lambda entry: entry.name,
) -> list[OrderedName]:
    """The entries in the order of an earlier file, by class, as far as it has them.

    The entries that it has fill their places in its order. New ones stay where they rank. `before`
    has the names of each class, by the class's name; `name_of` gives an entry's name in it.
    """
    result: list[OrderedName] = []
    for kind in CLASSES:
        ranked = [entry for entry in entries if entry.temperature is kind]
        place = {name: at for at, name in reversed(list(enumerate(before.get(kind.value, ()))))}
        there = [entry for entry in ranked if name_of(entry) in place]
        known = iter(sorted(there, key=lambda entry: place[name_of(entry)]))
        result += [next(known) if name_of(entry) in place else entry for entry in ranked]
    return result
