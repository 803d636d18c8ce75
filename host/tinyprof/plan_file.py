# SPDX-License-Identifier: MIT
"""The plan file (docs/images.md): its text in, the pages to store in place by path out, and the way back.

A plan file comes from anywhere. Whatever else stands in one is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from tinyprof.errors import TinyprofError

FORMAT = 1


class PlanError(TinyprofError):
    """A plan that cannot be read."""


PAGES_MAX = 4096
"""No file has more (format.FILE_MAX)."""


def load_plan(text: str) -> dict[str, list[int]]:
    """Read a plan file: sorted pages by path. Raises PlanError naming what is wrong in it, and where."""
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _broken(f"no JSON at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise _broken("its JSON is nested too deep, or has too large a number") from None
    if not isinstance(fields, dict) or "format" not in fields:
        raise _broken("it has no format")
    _check_format(fields)
    pages = fields.get("pages")
    if not isinstance(pages, dict):
        raise _broken("it has no pages by path")
    return {path: _spelled_out(path, items) for path, items in pages.items()}


def _broken(what: str) -> PlanError:
    return PlanError(
        f"not a tinyprof plan: {what}", "make one with 'tinyprof plan'; docs/images.md shows one"
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _broken("a name stands twice in one object")
    return fields


def _check_format(fields: Mapping[str, Any]) -> None:
    """A later version says in `tinyprof` which version reads it, as in a profile."""
    found, needed = fields["format"], fields.get("tinyprof")
    if found == FORMAT and type(found) is int:
        return
    version = f"tinyprof {needed:.20}" if isinstance(needed, str) else f"a tinyprof that reads {found!r:.20}"
    raise PlanError(f"plan format {found!r:.20}, this reads {FORMAT}", f"use {version} or newer")


def _spelled_out(path: str, items: object) -> list[int]:
    if not isinstance(items, list):
        raise _broken(f"{path:.60} has no list of pages")
    found: set[int] = set()
    for item in items:
        first, last = item if isinstance(item, list) and len(item) == 2 else (item, item)
        if type(first) is not int or type(last) is not int or not 0 <= first <= last < PAGES_MAX:
            raise _broken(f"{path:.60}: {item!r:.40} is no page and no range of pages")
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
