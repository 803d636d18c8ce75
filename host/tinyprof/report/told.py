# SPDX-License-Identifier: MIT
"""The report of the files that a target told: how many a tree has, and why it has not the others.

What a tree has of them comes in. Lines of text go out. Names in them are not escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinyprof.profile.told import ToldMatch
from tinyprof.text import counted

NAMED_MAX = 4
"""Files of one reason that are named, unless all are asked for."""


def told_lines(told: ToldMatch, *, everything: bool = False) -> Iterator[str]:
    """The told files with used pages: those of the tree, and the others by reason.

    Of each reason the files with the most used pages are named; `everything`: all of them.
    """
    files = len(told.placed) + sum(map(len, told.absent.values()))
    yield (
        f"{len(told.placed)} of {counted(files, 'used file')} are in the tree, with {told.pages} "
        f"of {counted(told.pages + told.absent_pages, 'used page')}"
    )
    for reason, paths in told.absent.items():
        if paths:
            pages = counted(sum(paths.values()), "page")
            yield f"  {len(paths)} {reason.value} ({pages}): {_named(paths, everything)}"
    if told.several:
        several = dict.fromkeys(told.several, 0)
        yield (
            f"  {len(told.several)} that the target has several times under one path, taken as "
            f"one: {_named(several, everything)}"
        )
    if told.by_path:
        yield f"  {told.by_path} by their path alone: the target did not know their size"


def _named(paths: Mapping[str, int], everything: bool) -> str:
    ranked = sorted(paths, key=lambda path: (-paths[path], path))
    shown = ranked if everything else ranked[:NAMED_MAX]
    more = len(ranked) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
