# SPDX-License-Identifier: MIT
"""The report as one HTML file, for people who did not see the recording: a profile and stored
sizes in, the file's text out.

The file loads nothing from a network and can be read without its script. The same profile gives
the same file. Names are untrusted: they are escaped, and invisible characters are spelt out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.capture.index import StoredSizes
from tinyprof.plan.ordering.bound import bounds
from tinyprof.plan.what_if import (
    KERNELS,
    HeadOf,
    WhatIf,
    candidates_of,
    what_if,
    what_if_mapped_by,
)
from tinyprof.profile.model import FileUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.report.html.files import file_maps, file_table, file_tree, page_texts
from tinyprof.report.html.frame import document, origin_parts, origin_words, safe
from tinyprof.report.html.functions import (
    Values,
    function_list,
    functions_by_worth,
    order_list,
    searchable,
)
from tinyprof.report.html.headline import headline, trade_off
from tinyprof.report.html.timeline import timeline
from tinyprof.report.origin import Origin
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.rows import FileRow, file_rows
from tinyprof.tables.verdict import base_of


@dataclass(frozen=True, slots=True)
class Programs:
    """The files themselves: the names and the first bytes of a file; None where it is not
    there."""

    names: Callable[[FileUse], Names | None]
    head: HeadOf


NO_ORIGIN = Origin()


def html_report(
    profile: Profile,
    stored: StoredSizes,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    programs: Programs | None = None,
    origin: Origin = NO_ORIGIN,
) -> str:
    """The page.

    Without `programs` it names functions only for a profile that was made with symbols, and tells
    the saving of XIP only for a kernel that maps any page.
    """
    rows, values = _ranked(profile, stored, thresholds)
    names = [(programs.names(row.use) if programs else None) or row.names for row in rows]
    base = base_of(rows, origin.image_size)
    curves = _curves(profile, stored, programs)
    found = functions_by_worth(rows, values, names)
    functions = {row.use.sha256: it.functions for row, it in zip(rows, names, strict=True)}
    denser = bounds(profile, lambda file: functions.get(file.sha256, ()))
    body = [
        *_top(profile, origin),
        "<main>",
        *headline(profile, rows, values, base, curves),
        *trade_off(curves, base),
        *file_table(rows),
        *timeline(profile, rows),
        *function_list(rows, found),
        *order_list(denser),
        *file_tree(rows),
        *file_maps(rows),
        "</main>",
    ]
    texts = page_texts(rows, names)
    data = {**{str(it): texts[it] for it in texts}, "functions": searchable(rows, names)}
    return document("tinyprof report", body, data)


def _ranked(
    profile: Profile, stored: StoredSizes, thresholds: Thresholds
) -> tuple[list[FileRow], list[Values]]:
    """The rows, those that save most first, and the values of their pages that pay."""
    files = zip(
        file_rows(profile, stored, thresholds), candidates_of(profile, stored), strict=True
    )
    ranked = sorted(files, key=lambda it: _rank(it[0]))
    values: list[Values] = [
        {page: value for page in row.use.pages if (value := file.value(page))}
        for row, file in ranked
    ]
    return [row for row, _ in ranked], values


def _rank(row: FileRow) -> tuple[int, int, int, str, str]:
    return -row.saves, -row.hot, -row.used, row.path, row.use.sha256


def _curves(
    profile: Profile, stored: StoredSizes, programs: Programs | None
) -> Mapping[str, WhatIf]:
    """The curves by the names of the kernels that can be reckoned."""
    if programs is None:
        return {
            kernel.name: what_if(profile, stored) for kernel in KERNELS if kernel.maps_any_page
        }
    return {
        kernel.name: what_if_mapped_by(kernel, profile, stored, programs.head)
        for kernel in KERNELS
    }


def _top(profile: Profile, origin: Origin) -> Iterator[str]:
    kernels: Sequence[str] = sorted({boot.kernel for boot in profile.boots})
    images: Sequence[str] = sorted({boot.fsid for boot in profile.boots})
    title = safe(origin.image or ", ".join(images))
    yield "<header>"
    yield f'<h1>tinyprof report <span class="dim">{title}</span></h1>'
    facts = [("kernel", ", ".join(kernels)), ("image id", ", ".join(images))]
    words = [*origin_words(origin), f"kernel {', '.join(kernels)}"]
    yield f'<details class="from"><summary>{safe(" · ".join(words))}</summary>'
    yield from origin_parts(origin, facts)
    yield "</details></header>"
