# SPDX-License-Identifier: MIT
"""The plan: what a profile knows of a tree in, the pages to store in place out; or a plan file.

A page pays for its flash if it was mapped and not only written: a private page about to be copied, and a
page that only read() touched, go through the page cache wherever they are stored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinyprof.cramfs import EntryKind, Tree, executable_pages
from tinyprof.errors import TinyprofError

if TYPE_CHECKING:
    from tinyprof.carry import Match
    from tinyprof.profile import PageUse

FORMAT = 1


class PlanError(TinyprofError):
    """A plan that cannot be read."""


@dataclass(frozen=True, slots=True)
class HotPlan:
    """Pages to store in place by path, and the profiled files that the tree has not, or not the same."""

    pages: Mapping[str, Collection[int]]
    stale: tuple[str, ...] = ()


def plan_hot(match: Match) -> HotPlan:
    """All pages that a mapping showed, wherever they are now.

    Stale are paths of whose used pages some are not found any more.
    """
    pages = {
        file.node.path: sorted(page for page, use in file.uses.items() if pays(use)) for file in match.files
    }
    changed = {file.node.path for file in match.files if file.counts.unmatched}
    used = {path: found for path, found in pages.items() if found}
    return HotPlan(used, tuple(sorted({*match.missing, *changed})))


def pays(use: PageUse) -> bool:
    """Whether storing the page in place saves RAM."""
    return use.mapped is not None


def plan_programs(tree: Tree) -> HotPlan:
    """Every page of a program that a loader maps without writing to it: the most that can be in place."""
    pages = {node.path: executable_pages(node) for node in tree.walk() if node.kind is EntryKind.FILE}
    return HotPlan({path: found for path, found in pages.items() if found})


def load_plan(text: str) -> HotPlan:
    """Read a plan file (docs/images.md). Raises PlanError naming what is wrong in it."""
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            raise PlanError(f"plan format {fields['format']}, this is {FORMAT}", "use a newer tinyprof")
        return HotPlan({str(path): _spelled_out(pages) for path, pages in fields["pages"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanError(f"not a tinyprof plan: {error!r}", "docs/images.md shows one") from None


PAGES_MAX = 4096
"""No file has more (format.FILE_MAX)."""


def _spelled_out(pages: Iterable[object]) -> list[int]:
    found: set[int] = set()
    for item in pages:
        first, last = item if isinstance(item, list) else (item, item)
        if type(first) is not int or type(last) is not int or not 0 <= first <= last < PAGES_MAX:
            raise ValueError(f"{item!r} is no page and no range of pages")
        found.update(range(first, last + 1))
    return sorted(found)


def dump_plan(plan: Mapping[str, Collection[int]]) -> str:
    """A plan's text: one line a file, sorted."""
    lines = [f"{json.dumps(path)}: {json.dumps(pages)}" for path, pages in plan_fields(plan)["pages"].items()]
    return f'{{"format":{FORMAT},"pages":{{\n' + ",\n".join(lines) + "\n}}\n"


def plan_fields(plan: Mapping[str, Collection[int]]) -> dict[str, Any]:
    """What a plan file has to have; whatever else stands in one is not looked at."""
    return {"format": FORMAT, "pages": {path: _ranges(pages) for path, pages in sorted(plan.items())}}


def _ranges(pages: Collection[int]) -> list[int | list[int]]:
    ranges: list[list[int]] = []
    for page in sorted(set(pages)):
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return [first if first == last else [first, last] for first, last in ranges]
