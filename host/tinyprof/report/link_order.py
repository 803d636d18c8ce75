# SPDX-License-Identifier: MIT
"""What link orders say of their programs, and could save: orders and bounds in, lines or JSON
fields out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tinyprof.plan.ordering.bound import Bound
from tinyprof.plan.ordering.order import CLASSES
from tinyprof.plan.ordering.tree import LinkOrder
from tinyprof.plan.planner import Plan
from tinyprof.tables.columns import (
    ROWS_SHOWN,
    kib,
    more,
    pages_kib,
    percent,
    signed_kib,
    signed_percent,
    table,
    wrapped,
)
from tinyprof.text import counted

GONE_SHOWN = 3
"""Names that a line shows."""

UNSIZED_SHARE = 0.1
"""Share of symbols without a size that is worth a line. The start-up files always have a few."""


def fields_of_order(it: LinkOrder) -> dict[str, Any]:
    """The fields of a program in `tinyprof order --json`."""
    decision = it.decision
    return {
        "path": it.path,
        "recording_link": decision.recording_link,
        "carried": it.carried,
        "used": decision.used,
        "ambiguous": decision.candidates,
        "cold": decision.cold,
        "hot_bytes": decision.hot_bytes,
        "pages": decision.pages,
        "pages_in_link_order": decision.ordinary,
        "pages_ordered": decision.ordered,
        "pages_without_symbols": decision.bare,
        "names": {
            kind.value: sum(entry.temperature is kind for entry in it.entries) for kind in CLASSES
        },
        "gone": list(it.gone),
        "symbols_left_out": it.program.unsized + it.program.outside,
        "recording_bytes": it.recording_size,
    }


def lines_of_order(it: LinkOrder) -> Iterator[str]:
    """The lines of a program in `tinyprof order`."""
    decision = it.decision
    functions = decision.used + decision.candidates + decision.cold
    kind = "recording link" if decision.recording_link else "ordinary link"
    judged = (
        f"{it.path}: {kind}: {decision.used:,} of {counted(functions, 'function')} used, "
        f"{decision.candidates:,} ambiguous, {decision.cold:,} cold"
    )
    if not decision.recording_link and decision.candidates:
        sure = percent(decision.used, decision.used + decision.candidates)
        judged += f" (sure of {sure} of the ordered functions)"
    yield from wrapped(judged, "", "  ")
    today = (
        f"{decision.ordinary:,} pages in the order of this link"
        if decision.recording_link
        else f"{counted(decision.pages, 'page')} today"
    )
    most = "at most " if decision.candidates else ""
    yield from wrapped(
        f"{decision.hot_bytes:,} bytes of hot functions lie on {today}, on {most}"
        f"{decision.ordered:,} when they are ordered",
        "  ",
        "    ",
    )
    for note in _notes(it):
        yield from wrapped(note, "  ", "    ")


def _notes(it: LinkOrder) -> Iterator[str]:
    if it.carried:
        yield "carried over from another build by names"
    if it.gone:
        names = ", ".join(it.gone[:GONE_SHOWN])
        more = f" and {len(it.gone) - GONE_SHOWN} more" if len(it.gone) > GONE_SHOWN else ""
        yield f"gone in this build: {names}{more}"
    if it.decision.bare:
        yield f"{counted(it.decision.bare, 'used page')} of code without a symbol"
    if shared := Counter(entry.functions > 1 for entry in it.entries)[True]:
        yield f"{counted(shared, 'name')} of several functions each: a linker moves all of them"
    if it.program.outside:
        yield f"{counted(it.program.outside, 'symbol')} outside the file left out"
    if it.program.unsized > UNSIZED_SHARE * len(it.program.functions):
        yield f"{counted(it.program.unsized, 'symbol')} without a size left out"
    if it.is_too_large_to_record and not it.decision.recording_link:
        yield (
            f"its recording link would have about {it.recording_size >> 20} MiB, and CramFS holds "
            "16 MiB a file; align some of its objects at a time"
        )


def bound_rows(bounds: Sequence[Bound]) -> list[dict[str, Any]]:
    """The field `orders` of `tinyprof report --json`."""
    return [
        {"path": it.path, "used": it.used, "least": it.least, "saved_most": it.saved}
        for it in bounds
    ]


def bound_lines(bounds: Sequence[Bound], *, verbose: bool = False) -> Iterator[str]:
    """The programs that a linker order could make denser; no line where no symbols are known."""
    worth = [it for it in bounds if it.saved]
    if not worth:
        return
    saved = sum(it.saved for it in worth)
    yield from wrapped(
        f"a linker order could save {saved:,} used pages ({pages_kib(saved)} KiB) at most, by the "
        "symbols; 'tinyprof order' makes one",
        "",
        "  ",
    )
    shown = worth if verbose else worth[:ROWS_SHOWN]
    rows = [(f"{it.saved:,}", f"{it.used:,}", f"{it.least:,}", it.path) for it in shown]
    yield from table(("at most", "used", "left", "file"), rows)
    if len(shown) < len(worth):
        yield more(len(worth) - len(shown), "file")


def ordered_document(plan: Plan, ordered: Plan, denser: Sequence[Bound]) -> dict[str, Any]:
    """The field `ordered` of `tinyprof plan --json`: a plan as it is, and as it would be."""
    figures = {name: after for name, _, after in _ordered_figures(plan, ordered)}
    programs = [{"path": it.path, "used": it.used, "left": it.least} for it in denser]
    return {"ordered": {"programs": programs, **figures}}


def ordered_lines(plan: Plan, ordered: Plan, denser: Sequence[Bound]) -> Iterator[str]:
    """What would be if programs were ordered: their pages, and the figures of both plans."""
    yield from wrapped("as if a linker order left these programs so many used pages:")
    rows = [(f"{it.used:,}", f"{it.least:,}", it.path) for it in denser]
    yield from table(("used", "ordered", "file"), rows)
    words = {
        "image": "image",
        "page_cache_before": "page cache, nothing in place",
        "page_cache": "page cache, planned",
        "steady": "page cache, planned, steady state",
    }
    changes = [
        (kib(old), kib(new), signed_kib(new - old), signed_percent(new - old, old), words[name])
        for name, old, new in _ordered_figures(plan, ordered)
    ]
    yield from table(("as it is", "ordered", "change", "", "KiB"), changes)


def _ordered_figures(plan: Plan, ordered: Plan) -> list[tuple[str, int, int]]:
    """The name, the bytes as planned, and the bytes with ordered programs, of each figure."""
    names = ("image", "page_cache_before", "page_cache", "steady")
    return [
        (name, getattr(plan.prediction, name), getattr(ordered.prediction, name)) for name in names
    ]
