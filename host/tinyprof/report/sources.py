# SPDX-License-Identifier: MIT
"""What a plan cannot know, by the sources of its recordings: boots in, lines or JSON fields out.

Boots that the kernel's own part recorded leave nothing open, and have no line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tinyprof.pages import Kind
from tinyprof.profile.model import BootFacts
from tinyprof.text import counted
from tinyprof.wire.source import ALONE, TouchSource, source_fields


def source_rows(boots: Sequence[BootFacts]) -> list[dict[str, Any]]:
    """The sources other than the kernel's part, as JSON has them: each with its number of boots,
    and the names of what it leaves unknown."""
    return [
        {
            **source_fields(source),
            "boots": len(its_boots),
            "in_place": max(boot.in_place for boot in its_boots),
            "unknown": [name for name, _ in _unknown(source, its_boots)],
        }
        for source, its_boots in _by_source(boots)
    ]


def source_lines(boots: Sequence[BootFacts]) -> Iterator[str]:
    """A line for each source other than the kernel's part, and one for each thing that it leaves
    unknown."""
    for source, its_boots in _by_source(boots):
        of = "" if len(its_boots) == len(boots) else f" in {len(its_boots)} of {len(boots)} boots"
        unknown = [text for _, text in _unknown(source, its_boots)]
        but = ", so that this plan cannot know everything:" if unknown else ""
        yield f"recorded by {source.name}{of}{but}"
        yield from (f"    {text}" for text in unknown)


def _by_source(boots: Sequence[BootFacts]) -> Iterator[tuple[TouchSource, list[BootFacts]]]:
    for source in dict.fromkeys(boot.source for boot in boots if boot.source):
        yield source, [boot for boot in boots if boot.source == source]


def _unknown(source: TouchSource, boots: Sequence[BootFacts]) -> Iterator[tuple[str, str]]:
    """What a source leaves unknown: its name for programs, and a sentence for people."""
    yield from _unseen(source)
    if source.is_one_epoch:
        yield (
            "classes",
            "all was one long epoch: hot, warm and once cannot be told, so every used page counts "
            "as hot",
        )
    elif source.around != ALONE:
        misses = "misses" if source.around else "may miss"
        yield (
            "epochs",
            f"an epoch {misses} pages that the kernel mapped around others: some may be hotter "
            "than they seem",
        )
    if source.sees_mappings:
        yield (
            "mappings",
            "whole mappings were seen: each of their pages counts as used while a process held "
            "it, and a program that ran between two looks is missing",
        )
    if source.late:
        yield (
            "start",
            "programs ran before the agent: what they had used until then counts as one epoch",
        )
    if in_place := max(boot.in_place for boot in boots):
        yield (
            "in_place",
            f"the recorded image had {counted(in_place, 'page')} in place: those that its kernel "
            "mapped are not in the profile",
        )


def _unseen(source: TouchSource) -> Iterator[tuple[str, str]]:
    """The uses of pages that a source does not see."""
    if not source.tells(Kind.FILE):
        how = "was not seen" if source.kinds else "looked like any other use"
        yield (
            "file",
            f"read() {how}: a page that read() uses too is in the page cache wherever it is "
            "stored, and saves nothing",
        )
    if not source.tells(Kind.WRITE):
        yield (
            "write",
            "copies for writes were not seen: a copied page is in the page cache wherever it is "
            "stored, and saves nothing",
        )
    if source.sees_code_in_place:
        yield (
            "elsewhere",
            "only code that is executed in place was seen: pages that are only read, and pages "
            "that are not in place, are not in the profile",
        )
