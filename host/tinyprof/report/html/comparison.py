# SPDX-License-Identifier: MIT
"""Two profiles compared, as one HTML file: both and their differences in, the file's text out.

The file loads nothing and can be read without its script, as that of page.py. Names are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyprof.capture.index import StoredSizes
from tinyprof.pages import PAGE_SIZE, page_ranges, pages_in
from tinyprof.plan.what_if import what_if
from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.report.differences import FileDifference
from tinyprof.report.html.frame import (
    change,
    document,
    heads,
    origin_parts,
    origin_words,
    safe,
    section,
    signed_size,
    size,
    table,
)
from tinyprof.report.html.svg import STRIP_CELLS, before_after_svg, strip_of
from tinyprof.report.origin import Origin
from tinyprof.tables.rows import file_rows
from tinyprof.tables.verdict import base_of
from tinyprof.text import counted

CHANGES = (
    ("gained", "plus", "used only in the second"),
    ("lost", "minus", "used only in the first"),
    ("hotter", "up", "of a hotter class in the second"),
    ("colder", "down", "of a colder class in the second"),
)
"""The kinds of a difference, the class of their style, and their meaning. The first of them
decides what a cell shows."""

RANGES_MAX = 400
"""Characters of the page numbers of one kind in one file."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the profiles, the stored sizes that are known of its image, and where it comes
    from."""

    profile: Profile
    stored: StoredSizes
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Figures:
    used: int
    steady: int
    saves: int


def html_comparison(
    one: Side,
    other: Side,
    found: Sequence[FileDifference],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> str:
    """The page."""
    ranked = sorted(found, key=lambda it: (-_count(it), it.path))
    before, after = _figures(one, thresholds), _figures(other, thresholds)
    body = [
        *_top(one.origin, other.origin),
        "<main>",
        *_tiles(before, after),
        f'<p class="advice">{_sentence(before, after, found)}</p>',
        *_sums(found),
        *_files(ranked, _page_counts(one.profile, other.profile)),
        "</main>",
    ]
    return document("tinyprof comparison", body, {})


def _figures(side: Side, thresholds: Thresholds) -> _Figures:
    rows = file_rows(side.profile, side.stored, thresholds)
    saves = what_if(side.profile, side.stored).everything.saves
    return _Figures(sum(row.used for row in rows), base_of(rows, 0).ram, saves)


def _top(one: Origin, other: Origin) -> Iterator[str]:
    names = [safe(next(origin_words(it), "")) for it in (one, other)]
    yield f'<header><h1>tinyprof comparison <span class="dim">{" → ".join(names)}</span></h1>'
    for title, origin in (("first", one), ("second", other)):
        words = safe(" · ".join(origin_words(origin)))
        yield f'<details class="from"><summary>{title}: {words}</summary>'
        yield from origin_parts(origin, ())
        yield "</details>"
    yield "</header>"


def _tiles(before: _Figures, after: _Figures) -> Iterator[str]:
    yield '<div class="tiles">'
    used = (before.used * PAGE_SIZE, after.used * PAGE_SIZE)
    yield _tile("used pages", *used, "page cache while nothing is dropped")
    yield _tile("RAM, steady state", before.steady, after.steady, "without any page in place")
    yield _tile("RAM that XIP saves", before.saves, after.saves, "all pages that pay in place")
    yield "</div>"


def _tile(name: str, before: int, after: int, what: str) -> str:
    difference = after - before
    return (
        f'<div class="tile big"><h2>{name}</h2><b>{signed_size(difference)}</b> '
        f'<b class="share">{change(difference, before)}</b>{before_after_svg(before, after)}'
        f'<span><i class="key was"></i>first {size(before)}</span> '
        f'<span><i class="key will"></i>second {size(after)}</span>'
        f'<span class="dim what">{what}</span></div>'
    )


def _sentence(before: _Figures, after: _Figures, found: Sequence[FileDifference]) -> str:
    if not found:
        return "Both use the same pages, of the same classes."
    gained, lost = (sum(len(getattr(it, name)) for it in found) for name in ("gained", "lost"))
    changed = sum(it.changed for it in found)
    contents = f" {counted(changed, 'file')} changed in content." if changed else ""
    return (
        f"The second uses {counted(gained, 'page')} that the first does not, and lacks "
        f"{counted(lost, 'page')} of it. In place, its pages that pay save {size(after.saves)} "
        f"({signed_size(after.saves - before.saves)}).{contents}"
    )


def _sums(found: Sequence[FileDifference]) -> Iterator[str]:
    yield '<div class="tiles small">'
    for name, key, _ in CHANGES:
        count = sum(len(getattr(it, name)) for it in found)
        yield f'<div class="tile"><b>{count:,}</b><i class="key {key}"></i>{name}</div>'
    yield "</div>"
    legend = "".join(f'<i class="key {key}"></i>{name}: {what}' for name, key, what in CHANGES)
    yield f'<p class="dim">{legend}</p>'


def _files(found: Sequence[FileDifference], pages: dict[str, int]) -> Iterator[str]:
    if not found:
        return
    columns = [
        '<th scope="col" data-sort>path</th><th scope="col" class="left">differences</th>',
        *(f'<th scope="col" data-sort>{name}</th>' for name, _, _ in CHANGES),
        '<th scope="col" class="left">content</th>',
    ]
    rows = (_row(number, it, pages.get(it.path, 0)) for number, it in enumerate(found))
    yield from section("files", "Files", table("files", columns, rows, "files"))
    columns = [*heads("path"), '<th scope="col" class="left">pages</th>']
    parts = [
        "<details><summary>The numbers of the pages</summary>",
        *table("pages by file", columns, _page_rows(found)),
        "</details>",
    ]
    yield from section("numbers", "Pages", parts)


def _row(number: int, it: FileDifference, pages: int) -> str:
    counts = "".join(
        f'<td data-v="{len(getattr(it, name))}">{len(getattr(it, name)):,}</td>'
        for name, _, _ in CHANGES
    )
    content = "changed" if it.changed else "the same"
    return (
        f'<tr data-file="{number}"><td class="path">{safe(it.path)}</td>'
        f'<td class="left">{strip_of(_cells(it, pages))}</td>{counts}'
        f'<td class="left">{content}</td></tr>'
    )


def _cells(it: FileDifference, pages: int) -> list[str]:
    """The classes of the cells of a strip. A cell of several pages shows the first kind of
    CHANGES that one of them has."""
    per_cell = max(1, -(-pages // STRIP_CELLS))
    cells = ["c"] * -(-pages // per_cell)
    for name, key, _ in reversed(CHANGES):
        for page in getattr(it, name):
            if page < pages:
                cells[page // per_cell] = key
    return cells


def _page_rows(found: Sequence[FileDifference]) -> Iterator[str]:
    for it in found:
        kinds = [
            f"{name} {_cut(page_ranges(listed))}"
            for name, _, _ in CHANGES
            if (listed := getattr(it, name))
        ]
        yield (
            f'<tr><td class="path">{safe(it.path)}</td>'
            f'<td class="path left">{"; ".join(kinds)}</td></tr>'
        )


def _cut(text: str) -> str:
    return text if len(text) <= RANGES_MAX else f"{text[: RANGES_MAX - 1]}…"


def _page_counts(one: Profile, other: Profile) -> dict[str, int]:
    """Number of pages of each file, by path; the larger number where a path has several."""
    counts: dict[str, int] = {}
    for file in (*one.files, *other.files):
        counts[file.path] = max(counts.get(file.path, 0), pages_in(file.size))
    return counts


def _count(it: FileDifference) -> int:
    return sum(len(getattr(it, name)) for name, _, _ in CHANGES)
