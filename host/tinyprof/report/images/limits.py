# SPDX-License-Identifier: MIT
"""Limits of a change: their text and a comparison in, the limits that are exceeded out.

A limit is a share of the size before (1%), bytes of growth (64K), or bytes that must not be
exceeded (<=24M). Zero is a limit too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE
from tinyprof.report.images.comparison import Comparison
from tinyprof.text import shown

BUDGET_MAX = 1 << 20
"""Bytes of a budget file."""

LINES_MAX = 10_000
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LIMIT = re.compile(r"(<=)?([0-9]{1,12}(?:\.[0-9]{1,6})?)(?:(%)|([kmg]?)(?:i?b)?)", re.IGNORECASE)

TOTAL, RAM, PATH, PACKAGE = "total", "ram", "path", "package"
_NAMED = (PATH, PACKAGE)


class BudgetFileError(TinyprofError):
    """A budget file, or a limit, that cannot be read or applied."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, one of

    1. `share` of the size before, by which it may grow;
    2. `growth` in bytes;
    3. `most` bytes altogether.

    `text` is the limit as the user wrote it.
    """

    text: str
    share: float | None = None
    growth: int | None = None
    most: int | None = None

    def allows(self, before: int, after: int) -> bool:
        """Whether a size may go from `before` to `after`."""
        if self.most is not None:
            return after <= self.most
        if self.growth is not None:
            return after - before <= self.growth
        return after - before <= (self.share or 0.0) * before


@dataclass(frozen=True, slots=True)
class SizeRule:
    """Limits for one thing: the image (TOTAL), its page cache (RAM), the paths that match a
    pattern together (PATH), or a package (PACKAGE). `place` says where the user wrote it."""

    kind: str
    name: str
    limits: tuple[Limit, ...]
    place: str = ""

    @property
    def words(self) -> str:
        """The words for the thing."""
        if self.kind == TOTAL:
            return "the image"
        return "the page cache" if self.kind == RAM else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is exceeded: the words for the thing, its bytes in both images, the limit."""

    what: str
    before: int
    after: int
    limit: str


def read_limit(text: str) -> Limit | None:
    """The limit that a word says: 1%, 64K, 0, <=24M. None: the word is no limit."""
    found = _LIMIT.fullmatch(text)
    if not found:
        return None
    at_most, number, percent, unit = found.groups()
    if percent:
        return None if at_most else Limit(text, share=float(number) / 100)
    size = int(float(number) * _UNITS[(unit or "").lower()])
    return Limit(text, most=size) if at_most else Limit(text, growth=size)


def read_budget(text: str) -> list[SizeRule]:
    """The rules of a budget file, one a line. Raises BudgetFileError that names the line."""
    rules = []
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        raise BudgetFileError(f"it has {len(lines)} lines; at most {LINES_MAX} are read")
    for number, line in enumerate(lines, 1):
        if words := line.partition("#")[0].split():
            rules.append(_rule(words, f"line {number}"))
    if not rules:
        raise BudgetFileError("it has no rule", "write one, such as: total 1%")
    return rules


def _rule(words: Sequence[str], place: str) -> SizeRule:
    kind, *rest = words
    if kind not in (TOTAL, RAM, *_NAMED):
        raise BudgetFileError(
            f"{place}: {kind:.40} is none of total, ram, path and package", "docs/ci.md shows some"
        )
    name = ""
    if kind in _NAMED:
        if not rest:
            raise BudgetFileError(f"{place}: {kind} has no name")
        name, *rest = rest
    if not rest:
        raise BudgetFileError(f"{place}: it has no limit", "write 1%, 64K, 0 or <=24M")
    limits = []
    for word in rest:
        limit = read_limit(word)
        if limit is None:
            raise BudgetFileError(f"{place}: {word:.40} is no limit", "write 1%, 64K, 0 or <=24M")
        limits.append(limit)
    return SizeRule(kind, name, tuple(limits), place)


def breaches(comparison: Comparison, rules: Iterable[SizeRule]) -> list[Breach]:
    """The limits that are exceeded. Raises BudgetFileError for a rule that cannot be applied."""
    found = []
    for rule in rules:
        before, after = _sizes(comparison, rule)
        found += [
            Breach(rule.words, before, after, limit.text)
            for limit in rule.limits
            if not limit.allows(before, after)
        ]
    return found


def _sizes(comparison: Comparison, rule: SizeRule) -> tuple[int, int]:
    old, new = comparison.old, comparison.new
    where = f"{rule.place}: " if rule.place else ""
    match rule.kind:
        case "total":
            return old.size, new.size
        case "ram":
            return _page_caches(comparison, where)
        case "package":
            if rule.name not in comparison.packages:
                raise BudgetFileError(
                    f"{where}there is no package {rule.name:.60}",
                    "give --packages a table that has it",
                )
            return comparison.packages[rule.name]
    sizes = [
        {path: it.stored for path, it in account.files.items() if fnmatchcase(path, rule.name)}
        for account in (old, new)
    ]
    if not any(sizes):
        raise BudgetFileError(
            f"{where}no path of either image matches {rule.name:.60}",
            "correct the pattern, or remove the rule",
        )
    return _sum(sizes[0]), _sum(sizes[1])


def _page_caches(comparison: Comparison, where: str) -> tuple[int, int]:
    """The page caches of both images, in bytes.

    1. A profile of which nothing is found in one of the images says nothing about page caches.
    2. A used page that is only found in the old image may still be used, under another name or
       with other bytes. It counts as a page in RAM.
    """
    if comparison.uses is None:
        raise BudgetFileError(
            f"{where}without a profile there is no page cache to compare",
            "give --profile, also where the account is saved",
        )
    before, after = comparison.uses
    for image, use in ((comparison.old, before), (comparison.new, after)):
        if use.used <= use.stale:
            raise BudgetFileError(
                f"{where}no used page of the profile is in {shown(image.name):.60}, so there is "
                "no page cache to compare",
                "give a profile that was recorded with this root filesystem",
            )
    lost = max(0, after.stale - before.stale)
    return before.page_cache, after.page_cache + lost * PAGE_SIZE


def _sum(sizes: Mapping[str, int]) -> int:
    return sum(sizes.values())


def rules_of(words: Iterable[tuple[str, Sequence[Limit]]]) -> Iterator[SizeRule]:
    """The rules of the command line: kinds, each with the limits that were given for it."""
    for kind, limits in words:
        if limits:
            yield SizeRule(kind, "", tuple(limits))
