# SPDX-License-Identifier: MIT
"""The report of a plan, and of a curve of plans: plans in, lines of text or JSON fields out.

The JSON fields are a plan file too: `tinyprof build --plan` reads the output of `tinyprof plan
--json`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tinyprof.pages import page_ranges
from tinyprof.plan.plan_file import plan_fields
from tinyprof.plan.planner import Plan, PlannedFile
from tinyprof.report.sources import source_lines, source_rows
from tinyprof.rootfs.match import Match
from tinyprof.segments.split_tree import Prices
from tinyprof.text import counted

PLOT_WIDTH = 50
"""Characters of the longest bar of a curve."""

CHANGED_MAX = 20
"""Changed files that are named."""


def plan_document(plan: Plan, today: int | None = None) -> dict[str, Any]:
    """The fields of `tinyprof plan --json`. `today`: bytes of the image to compare with."""
    return {
        **plan_fields(plan.pages),
        "kernel": plan.kernel,
        "prediction": asdict(plan.prediction),
        "value": plan.value,
        **_goodness(plan),
        "files": [_file_fields(file) for file in plan.files],
        "match": match_fields(plan.match),
        "sources": source_rows(plan.match.boots),
        **({} if today is None else {"compare": _comparison(plan, today)}),
    }


def _comparison(plan: Plan, today: int) -> dict[str, float]:
    """The planned image against another one of `today` bytes."""
    more = plan.prediction.image - today
    return {"size": today, "difference": more, "percent": round(100 * more / today, 2)}


def _goodness(plan: Plan) -> dict[str, float]:
    """The shares, cut and not rounded, so that 1 means that nothing is better."""
    return {"of_bound": int(plan.of_bound * 1e6) / 1e6, "of_best": int(plan.of_best * 1e6) / 1e6}


def _file_fields(file: PlannedFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "pages": file.pages,
        "chosen": page_ranges(file.chosen),
        "chosen_pages": len(file.chosen),
        "filler": file.filler,
        "cost": file.cost,
        "saves": file.saves,
        "left_out": {reason: page_ranges(pages) for reason, pages in file.left_out.items()},
        "processes": file.processes,
    }


def match_fields(match: Match) -> dict[str, Any]:
    """The number of used pages found in each way, and the files that have changed."""
    return {
        "pages": asdict(match.counts),
        "changed": {file.node.path: asdict(file.counts) for file in match.changed},
        "missing": dict(match.missing),
    }


def nothing_found(files: int, place: str) -> str:
    """The message for a tree that has no file of a profile: another tree was meant."""
    return f"none of the {counted(files, 'file')} of this profile is in {place}"


def match_lines(match: Match) -> Iterator[str]:
    """The files that have changed since the profile, a line for each; no line where none has."""
    if match.is_of_another_tree:
        yield nothing_found(len(match.missing), "ROOTFS")
        return
    lines = [
        f"{file.node.path}: changed since the profile: of its used pages {file.counts.by_place} "
        "are in their "
        f"place, {file.counts.by_content} elsewhere, {file.counts.by_symbol} found by symbols, "
        f"{file.counts.unmatched} not found"
        for file in match.changed
    ]
    lines += [
        f"{path}: not there any more: {counted(pages, 'used page')}"
        for path, pages in match.missing.items()
    ]
    yield from lines[:CHANGED_MAX]
    if len(lines) > CHANGED_MAX:
        yield f"and {counted(len(lines) - CHANGED_MAX, 'more file')}"
    counts = match.counts
    if lines:
        yield (
            f"profile: {counts.same} used pages in files that have not changed, "
            f"{counts.by_place} by place, "
            f"{counts.by_content} by content, {counts.by_symbol} by symbol, "
            f"{counts.unmatched} not found: "
            f"{100 * counts.stale:.1f} % stale"
        )


def plan_lines(plan: Plan, today: int | None = None) -> Iterator[str]:
    """The text of `tinyprof plan`. `today`: bytes of the image to compare with."""
    it = plan.prediction
    yield (
        f"image {it.image} bytes, {it.image - it.image_before:+} to the one without "
        f"pages in place; {counted(it.pages, 'page')} in place for a {plan.kernel} kernel"
    )
    if today is not None:
        compared = _comparison(plan, today)
        yield (
            f"against the image of today, {today} bytes: {compared['difference']:+} bytes, "
            f"{compared['percent']:+.1f} %"
        )
    yield (
        f"page cache {it.page_cache // 1024} KiB instead of {it.page_cache_before // 1024} "
        f"if nothing is ever dropped; in the steady state {it.steady // 1024} KiB instead of "
        f"{it.steady_before // 1024}" + _links_text(it.links)
    )
    yield _goodness_line(plan)
    yield from source_lines(plan.match.boots)
    for file in plan.files:
        yield from _file_lines(file, plan.split)


def _links_text(links: int) -> str:
    if not links:
        return ""
    pages = "a page" if links == 1 else f"{links} pages"
    return f"; {pages} of that for {counted(links, 'symbolic link')}"


def _goodness_line(plan: Plan) -> str:
    of_bound, of_best = (int(1e4 * share) / 100 for share in (plan.of_bound, plan.of_best))
    if plan.of_best == 1:
        best = "no choice of pages is better"
    else:
        best = f"at least {of_best:.2f} % of the best choice of pages"
    return f"{best}; {of_bound:.2f} % of the fractional bound, as if pages could be had in parts"


def _file_lines(file: PlannedFile, split: bool) -> Iterator[str]:
    filler = f", {file.filler} of them only to reach others" if file.filler else ""
    yield (
        f"{file.path}: {len(file.chosen)} of {counted(file.pages, 'page')}{filler}; costs "
        f"{file.cost} bytes of flash, saves {file.saves} of RAM"
    )
    if file.chosen:
        yield f"    in place: {page_ranges(file.chosen)}"
    if file.chosen and split:
        yield f"    {Prices().weighing(file.processes)}"
    for reason, pages in file.left_out.items():
        yield f"    left out: {page_ranges(pages)}: {reason}"


def curve_fields(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """The points of `tinyprof plan --curve --json`."""
    return [asdict(plan.prediction) | _goodness(plan) for plan in plans]


def curve_lines(plans: Sequence[Plan]) -> Iterator[str]:
    """A table of flash against RAM, with a bar for the RAM that is saved in the steady state."""
    yield "     image  flash more  pages  RAM saved steady  page cache saved"
    most = max((_saved(plan) for plan in plans), default=0) or 1
    for plan in plans:
        it = plan.prediction
        bar = "█" * round(PLOT_WIDTH * _saved(plan) / most)
        cache = (it.page_cache_before - it.page_cache) // 1024
        more = it.image - it.image_before
        yield (
            f"{it.image:10}{more:12}{it.pages:7}{_saved(plan) // 1024:14} KiB{cache:14} KiB  {bar}"
        )


def _saved(plan: Plan) -> int:
    return plan.prediction.steady_before - plan.prediction.steady
