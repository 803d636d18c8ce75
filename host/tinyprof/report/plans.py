# SPDX-License-Identifier: MIT
"""The report of a plan, and of a curve of plans: plans in, lines of text or JSON fields out.

The JSON fields are a plan file too: `tinyprof build --plan` reads the output of `tinyprof plan
--json`. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tinyprof.cramfs.kernel import KERNEL_WORDS, MEMORY_WORDS, KernelModel
from tinyprof.pages import page_ranges
from tinyprof.plan.plan_file import plan_fields
from tinyprof.plan.planner import Plan, PlannedFile
from tinyprof.plan.prediction import OnKernel
from tinyprof.plan.what_if import Point
from tinyprof.report.sources import source_lines, source_rows
from tinyprof.rootfs.match import Match
from tinyprof.segments.split_tree import Prices
from tinyprof.tables.columns import (
    ROWS_SHOWN,
    kib,
    more,
    percent,
    share,
    signed_kib,
    signed_percent,
    table,
    wrapped,
)
from tinyprof.text import counted

PLOT_WIDTH = 22
"""Characters of the longest bar of a curve."""

KNEE = 0.9
"""The share of the RAM that can be saved at which the knee of a curve is told."""

CHANGED_MAX = 20
"""Changed files that are named."""


def plan_document(plan: Plan, today: int | None = None) -> dict[str, Any]:
    """The fields of `tinyprof plan --json`. `today`: bytes of the image to compare with."""
    return {
        **plan_fields(plan.pages),
        "kernel": plan.kernel,
        "prediction": asdict(plan.prediction),
        "kernels": {kernel: asdict(found) for kernel, found in plan.kernels.items()},
        "change": _changes(plan),
        "value": plan.value,
        **_goodness(plan),
        "left_out": _left_out(plan),
        "files": [_file_fields(file) for file in plan.files],
        "match": match_fields(plan.match),
        "sources": source_rows(plan.match.boots),
        **({} if today is None else {"compare": _comparison(plan, today)}),
    }


def _changes(plan: Plan) -> dict[str, float]:
    """The shares by which the figures of a plan change."""
    it = plan.prediction
    return {
        "image": share(it.image - it.image_before, it.image_before),
        "page_cache": share(it.page_cache - it.page_cache_before, it.page_cache_before),
        "steady": share(it.steady - it.steady_before, it.steady_before),
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


def plan_lines(plan: Plan, today: int | None = None, *, verbose: bool = False) -> Iterator[str]:
    """The text of `tinyprof plan`. `today`: bytes of the image to compare with. `verbose`: all
    files, and the numbers of their pages."""
    it = plan.prediction
    most = "all at once" if plan.kernel == "nommu" else "if nothing is dropped"
    memory = MEMORY_WORDS[plan.kernel]
    figures = (
        ("image", it.image, it.image_before),
        (f"{memory}, {most}", it.page_cache, it.page_cache_before),
        (f"{memory}, steady state", it.steady, it.steady_before),
    )
    rows = [
        (
            kib(before),
            kib(after),
            signed_kib(after - before),
            signed_percent(after - before, before),
            name,
        )
        for name, after, before in figures
    ]
    yield from table(("before", "planned", "change", "", "KiB"), rows)
    if today is not None:
        compared = _comparison(plan, today)
        yield from wrapped(
            f"against the image of today, {today:,} bytes: {compared['difference']:+,} bytes, "
            f"{compared['percent']:+.1f} %"
        )
    yield from wrapped(
        f"{counted(it.pages, 'page')} in place for {KERNEL_WORDS[plan.kernel]} "
        f"({_options(plan)}){_links_text(it.links)}"
    )
    yield from kernel_lines(plan.kernel, plan.kernels)
    yield from wrapped(_goodness_line(plan))
    for line in source_lines(plan.match.boots):
        text = line.lstrip()
        yield from wrapped(text, line[: len(line) - len(text)], "      ")
    yield from _file_lines(plan, verbose)
    yield from _left_out_lines(plan)


def _options(plan: Plan) -> str:
    """The options of `tinyprof build` for the kernel of a plan."""
    return f"--kernel {plan.kernel}" + (" --split-segments" if plan.split else "")


def kernel_lines(chosen: KernelModel, kernels: Mapping[KernelModel, OnKernel]) -> Iterator[str]:
    """The lines about an image on the other kind of kernel with an MMU: on a stock one, if it is
    `chosen` for a patched one, and the other way round."""
    other: KernelModel = "patched" if chosen == "mainline" else "mainline"
    if chosen == "nommu" or other not in kernels or not kernels[chosen].mapped:
        return
    here, there = kernels[chosen], kernels[other]
    advice = ""
    if other == "mainline" and there.mapped < here.mapped:
        advice = "; for a stock kernel choose with --split-segments, or --kernel mainline"
    yield from wrapped(
        f"the same image on {KERNEL_WORDS[other]}: {there.mapped:,} of {here.mapped:,} pages "
        f"mapped in place, page cache {kib(there.page_cache)} KiB{advice}"
    )


def _links_text(links: int) -> str:
    if not links:
        return ""
    pages = "a page" if links == 1 else f"{links} pages"
    return f"; {pages} of the page cache for {counted(links, 'symbolic link')}"


def _goodness_line(plan: Plan) -> str:
    of_bound, of_best = (int(1e4 * share) / 100 for share in (plan.of_bound, plan.of_best))
    if plan.of_best == 1:
        best = "no choice of pages is better"
    else:
        best = f"at least {of_best:.2f} % of the best choice of pages"
    return f"{best}; {of_bound:.2f} % of the fractional optimum, as if pages could be had in parts"


def _file_lines(plan: Plan, verbose: bool) -> Iterator[str]:
    """The files with pages in place, those that save most first; `verbose`: all, with their
    pages."""
    chosen = [file for file in plan.files if file.chosen or verbose]
    files = chosen if verbose else chosen[:ROWS_SHOWN]
    if not files:
        return
    whole = plan.kernel == "nommu"
    rows = [
        (
            f"{len(file.chosen):,}",
            f"{file.pages:,}",
            f"{file.processes or 1:,}" if whole else f"{file.filler:,}",
            kib(file.cost),
            kib(file.saves),
            file.path,
        )
        for file in files
    ]
    third = "processes" if whole else "filler"
    head, *lines = table(("in place", "of pages", third, "flash KiB", "RAM KiB", "file"), rows)
    yield head
    for file, line in zip(files, lines, strict=True):
        yield line
        if verbose:
            yield from _page_lines(file, plan.split)
    if len(files) < len(chosen):
        left = chosen[len(files) :]
        pages = counted(sum(len(file.chosen) for file in left), "page")
        yield more(len(left), "file", f" with {pages} in place")


def _page_lines(file: PlannedFile, split: bool) -> Iterator[str]:
    if file.chosen:
        yield from wrapped(f"in place: {page_ranges(file.chosen)}", "    ", "      ")
    if file.chosen and split:
        yield from wrapped(Prices().weighing(file.processes), "    ", "      ")
    for reason, pages in file.left_out.items():
        yield from wrapped(f"left out: {page_ranges(pages)}: {reason}", "    ", "      ")


def _left_out(plan: Plan) -> dict[str, int]:
    """The number of used pages that are not in place, by the reason, the most first."""
    counts: Counter[str] = Counter()
    for file in plan.files:
        counts.update({reason: len(pages) for reason, pages in file.left_out.items()})
    return dict(counts.most_common())


def _left_out_lines(plan: Plan) -> Iterator[str]:
    counts = _left_out(plan)
    if not counts:
        return
    yield f"{counted(sum(counts.values()), 'used page')} left out:"
    for reason, count in counts.items():
        yield from wrapped(reason, f"{count:8,}  ", " " * 10)


def knee_of(plans: Sequence[Plan]) -> Plan | None:
    """The plan with the least flash that saves KNEE of the RAM that all that pays saves."""
    most = max((_saved(plan) for plan in plans), default=0)
    enough = [plan for plan in plans if most and _saved(plan) >= KNEE * most]
    return min(enough, key=lambda plan: plan.prediction.image, default=None)


def curve_fields(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """The points of `tinyprof plan --curve --json`."""
    most = max((_saved(plan) for plan in plans), default=0)
    return [
        asdict(plan.prediction)
        | _goodness(plan)
        | {"saved": _saved(plan), "saved_share": share(_saved(plan), most)}
        for plan in plans
    ]


def curve_document(plans: Sequence[Plan]) -> dict[str, Any]:
    """The fields of `tinyprof plan --curve --json`. `knee` is the point that the text tells."""
    knee = knee_of(plans)
    fields = curve_fields(plans)
    return {"curve": fields, "knee": fields[plans.index(knee)] if knee else None}


def curve_points(plans: Sequence[Plan]) -> list[Point]:
    """Flash and RAM of the plans, from nothing on, for a picture."""
    found = {(0, 0)} | {
        (plan.prediction.image - plan.prediction.image_before, _saved(plan)) for plan in plans
    }
    return [Point(0, cost, saves) for cost, saves in sorted(found)]


def curve_lines(plans: Sequence[Plan]) -> Iterator[str]:
    """The knee, and a table of flash against RAM with a bar for the RAM that the steady state
    saves."""
    most = max((_saved(plan) for plan in plans), default=0) or 1
    knee = knee_of(plans)
    if knee:
        more_flash = knee.prediction.image - knee.prediction.image_before
        yield from wrapped(
            f"{percent(_saved(knee), most)} of the RAM that can be saved "
            f"({kib(_saved(knee))} KiB) for {kib(more_flash)} KiB of flash"
        )
    rows = []
    for plan in plans:
        it, saved = plan.prediction, _saved(plan)
        row = (it.image, it.image - it.image_before)
        cache = it.page_cache_before - it.page_cache
        figures = (*map(kib, row), f"{it.pages:,}", kib(saved), percent(saved, most), kib(cache))
        rows.append((*figures, "█" * round(PLOT_WIDTH * saved / most)))
    heads = ("image", "flash +", "pages", "RAM saved", "share", "cache saved", "KiB")
    yield from table(heads, rows)


def _saved(plan: Plan) -> int:
    return plan.prediction.steady_before - plan.prediction.steady
