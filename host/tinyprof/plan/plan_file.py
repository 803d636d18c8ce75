# SPDX-License-Identifier: MIT
"""The plan file (docs/images.md): its text in, the pages to store in place by path out, and back.

A plan file is untrusted. Fields other than `format`, `pages` and `kernel` are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.errors import TinyprofError
from tinyprof.json_text import Broken, fault_in, read_json, version_for
from tinyprof.pages import page_runs

FORMAT = 1


class PlanError(TinyprofError):
    """A plan that cannot be read."""


PAGES_MAX = 4096
"""Pages of a file, at most (cramfs.format.FILE_MAX)."""

ALL_PAGES_MAX = 1 << 18
"""Pages of all files together. An image's 69,632 pages may be named under several paths."""

PLAN_MAX = 8 << 20
"""Bytes of a plan's text. `tinyprof plan --json` writes some 100 for a used page."""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan as it was read: sorted pages by path, and the kernel that they were chosen for. None:
    the plan does not tell."""

    pages: dict[str, list[int]]
    kernel: KernelModel | None = None


def load_plan(text: str) -> dict[str, list[int]]:
    """The pages of a plan file: sorted, by path. Raises PlanError as read_plan() does."""
    return read_plan(text).pages


def read_plan(text: str) -> PlanFile:
    """Read a plan file. Raises PlanError that names the fault and its place."""
    try:
        fields = read_json(text, PLAN_MAX)
        if not isinstance(fields, dict) or "format" not in fields:
            raise Broken("it has no format")
        _refuse_profile(fields)
        _check_format(fields)
        pages = fields.get("pages")
        if not isinstance(pages, dict):
            raise Broken("it has no pages by path")
        return PlanFile(_by_path(pages), _kernel_in(fields))
    except (ValueError, RecursionError) as error:
        raise PlanError(
            f"not a tinyprof plan: {fault_in(error)}",
            "make one with 'tinyprof plan'; docs/images.md shows one",
        ) from None


def _kernel_in(fields: Mapping[str, Any]) -> KernelModel | None:
    """The kernel of a plan. A model that this version does not know is none."""
    found = fields.get("kernel")
    return next((kernel for kernel in KERNEL_MODELS if kernel == found), None)


def _refuse_profile(fields: Mapping[str, Any]) -> None:
    """A profile has boots, and pages by file only."""
    if "runs" in fields and "pages" not in fields:
        raise PlanError(
            "this is a profile, not a plan",
            "give it with --profile, or make a plan of it with 'tinyprof plan'",
        )


def _check_format(fields: Mapping[str, Any]) -> None:
    found = fields["format"]
    if found == FORMAT and type(found) is int:
        return
    raise PlanError(
        f"plan format {found!r:.20}, this reads {FORMAT}", f"use {version_for(fields)} or newer"
    )


def _by_path(pages: Mapping[str, object]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    left = ALL_PAGES_MAX
    for path, items in pages.items():
        found[path] = _spelled_out(path, items)
        left -= len(found[path])
        if left < 0:
            raise Broken(f"it names over {ALL_PAGES_MAX} pages, which no image holds")
    return found


def _spelled_out(path: str, items: object) -> list[int]:
    """The pages that a list of pages and ranges names, sorted."""
    if not isinstance(items, list):
        raise Broken(f"{path:.60} has no list of pages")
    ranges: list[tuple[int, int]] = []
    for item in items:
        first, last = item if isinstance(item, list) and len(item) == 2 else (item, item)
        if type(first) is not int or type(last) is not int or not 0 <= first <= last < PAGES_MAX:
            raise Broken(f"{path:.60}: {item!r:.40} is no page and no range of pages")
        ranges.append((first, last))
    found: list[int] = []
    # Ranges may overlap, so each begins behind the pages that are there already.
    for first, last in sorted(ranges):
        found.extend(range(max(first, found[-1] + 1 if found else 0), last + 1))
    return found


def dump_plan(plan: Mapping[str, Collection[int]], kernel: KernelModel | None = None) -> str:
    """A plan's text: a line for each file, sorted by path."""
    lines = [
        f"{json.dumps(path)}: {json.dumps(pages)}"
        for path, pages in plan_fields(plan)["pages"].items()
    ]
    chosen_for = f'"kernel":"{kernel}",' if kernel else ""
    head = f'{{"format":{FORMAT},{chosen_for}"pages":{{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def plan_fields(plan: Mapping[str, Collection[int]]) -> dict[str, Any]:
    """The fields that a plan file must have."""
    return {
        "format": FORMAT,
        "pages": {path: _ranges(pages) for path, pages in sorted(plan.items())},
    }


def _ranges(pages: Collection[int]) -> list[int | list[int]]:
    return [first if first == last else [first, last] for first, last in page_runs(pages)]
