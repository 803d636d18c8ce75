# SPDX-License-Identifier: MIT
"""The plan file (docs/images.md): its text in, the pages to store in place by path out, and the way back.

A plan file comes from anywhere. Whatever else stands in one is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tinyprof.errors import TinyprofError

FORMAT = 1


class PlanError(TinyprofError):
    """A plan that cannot be read."""


def load_plan(text: str) -> dict[str, list[int]]:
    """Read a plan file (docs/images.md). Raises PlanError naming what is wrong in it."""
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            raise PlanError(f"plan format {fields['format']}, this is {FORMAT}", "use a newer tinyprof")
        return {str(path): _spelled_out(pages) for path, pages in fields["pages"].items()}
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
