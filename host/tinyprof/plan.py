# SPDX-License-Identifier: MIT
"""The plan: a profile and a tree in, the pages to store in place out; or a plan file, read and written.

A page pays for its flash if it was mapped and not only written: a private page about to be copied, and a
page that only read() touched, go through the page cache wherever they are stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyprof.cramfs import EntryKind, Tree, executable_pages
from tinyprof.errors import TinyprofError

if TYPE_CHECKING:
    from tinyprof.profile import PageUse, Profile

FORMAT = 1


class PlanError(TinyprofError):
    """A plan that cannot be read."""


@dataclass(frozen=True, slots=True)
class HotPlan:
    """Pages to store in place by path, and the profiled files that the tree has not, or not the same."""

    pages: Mapping[str, Collection[int]]
    stale: tuple[str, ...] = ()


def plan_hot(profile: Profile, tree: Tree) -> HotPlan:
    """All pages that pay, in files whose content was profiled, under whatever path.

    Stale is a path of which no profiled content is left: a merged profile may hold several of one path.
    """
    contents = _contents(profile, tree)
    pages: dict[str, list[int]] = {}
    for file in profile.files:
        if path := contents.get((file.sha256, file.size)):
            pages[path] = sorted(index for index, use in file.pages.items() if pays(use))
    fresh = {file.path for file in profile.files if (file.sha256, file.size) in contents}
    return HotPlan(pages, tuple(sorted({file.path for file in profile.files} - fresh)))


def _contents(profile: Profile, tree: Tree) -> dict[tuple[str, int], str]:
    """A path for each profiled content that the tree holds; one is enough, as equal files share blocks."""
    wanted = {(file.sha256, file.size) for file in profile.files}
    sizes = {size for _, size in wanted}
    contents: dict[tuple[str, int], str] = {}
    for node in tree.files():
        if node.size in sizes:
            contents.setdefault((hashlib.sha256(node.content()).hexdigest(), node.size), node.path)
    return {content: contents[content] for content in wanted & contents.keys()}


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
    lines = [f"{json.dumps(path)}: {json.dumps(_ranges(pages))}" for path, pages in sorted(plan.items())]
    return f'{{"format":{FORMAT},"pages":{{\n' + ",\n".join(lines) + "\n}}\n"


def _ranges(pages: Collection[int]) -> list[int | list[int]]:
    ranges: list[list[int]] = []
    for page in sorted(set(pages)):
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return [first if first == last else [first, last] for first, last in ranges]
