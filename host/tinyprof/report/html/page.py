# SPDX-License-Identifier: MIT
"""The report as one HTML file, for people who did not see the recording: a profile and stored
sizes in, the file's text out.

The file loads nothing from a network and can be read without its script. The same profile gives
the same file. Names are untrusted: they are escaped, and invisible characters are spelt out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from importlib.resources import files
from itertools import groupby, islice
from operator import itemgetter

from tinyprof.capture.index import StoredSizes
from tinyprof.plan.what_if import KERNELS, HeadOf, WhatIf, what_if, what_if_mapped_by
from tinyprof.profile.model import BootFacts, FileUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Temperature, Thresholds
from tinyprof.report.html.svg import LETTERS, curve_svg, map_svg, phases_svg, strip_svg
from tinyprof.report.summary import ended_text, phase_lines, source_of_boot
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.ledger import losses_text
from tinyprof.tables.rows import FileRow, file_rows, names_text, page_text
from tinyprof.text import counted, shown

HOT_FUNCTIONS = 40
"""Functions in the list. The profile has all of them."""

PLACES_MAX = 200_000
"""Pairs of a function and a hot page that are looked at for this list, the hottest files first."""

MAPS_MAX = 300
"""Files with a whole map. All files stand in the table, with their strips."""

HOVER_CHARACTERS_MAX = 1_000_000
"""Characters of all texts that used pages show under the pointer: about 120 a page, 300 with
names."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The files themselves: the names and the first bytes of a file; None where it is not
    there."""

    names: Callable[[FileUse], Names | None]
    head: HeadOf


def html_report(
    profile: Profile,
    stored: StoredSizes,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    programs: Programs | None = None,
) -> str:
    """The page.

    Without `programs` it names functions only for a profile that was made with symbols, and tells
    the saving of XIP only for a kernel that maps any page.
    """
    rows = file_rows(profile, stored, thresholds)
    rows.sort(key=lambda row: (-row.hot, -row.used, row.path, row.use.sha256))
    curve = what_if(profile, stored)
    style, script = _part("report.css"), _part("report.js")
    body = "\n".join(
        [
            *_head(profile, rows, curve),
            *_curve(curve),
            *_kernels(profile, stored, programs),
            *_files(rows),
            *_maps(rows),
            *_functions(rows, programs),
            *_boots(profile.boots),
            f'<script type="application/json" id="pages">{_pages(rows, programs)}</script>',
            f"<script>{script}</script>",
        ]
    )
    # The script sets the place of its tip in a style attribute: 'unsafe-inline' allows that.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_hash(script)}'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>tinyprof "
        f"report</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _part(name: str) -> str:
    return files("tinyprof.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> str:
    return html.escape(shown(text))


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _tile(value: str, what: str, key: str = "") -> str:
    mark = f'<i class="key {key}"></i>' if key else ""
    return f'<div class="tile"><b>{value}</b>{mark}{what}</div>'


def _head(profile: Profile, rows: Sequence[FileRow], curve: WhatIf) -> Iterator[str]:
    images = sorted({boot.fsid for boot in profile.boots})
    kernels = sorted({boot.kernel for boot in profile.boots})
    yield "<h1>tinyprof report</h1>"
    yield (
        f'<p class="dim">image {_safe(", ".join(images))} · kernel {_safe(", ".join(kernels))}</p>'
    )
    sums = {
        name: sum(getattr(row, name) for row in rows)
        for name in ("used", "hot", "warm", "once", "ram")
    }
    yield '<div class="tiles">'
    yield _tile(f"{len(profile.boots)}", "boot" if len(profile.boots) == 1 else "boots")
    yield _tile(f"{profile.epochs}", "epoch" if profile.epochs == 1 else "epochs")
    pages = "page" if sums["used"] == 1 else "pages"
    yield _tile(f"{sums['used']:,}", f"{pages} used, in {counted(len(rows), 'file')}")
    for name in ("hot", "warm", "once"):
        yield _tile(f"{sums[name]:,}", name, name[0])
    yield _tile(_kib(sums["ram"]), "page cache they take")
    yield "</div>"
    lost = [boot for boot in profile.boots if boot.losses]
    if lost:
        yield (
            f'<p class="bad">{len(lost)} of {counted(len(profile.boots), "boot")} lost '
            "something: see the boots.</p>"
        )
    else:
        yield '<p class="good">Nothing was lost.</p>'
    if profile.unknown_pages:
        unknown = counted(profile.unknown_pages, "used page")
        belong = "belongs" if profile.unknown_pages == 1 else "belong"
        yield f"<p>{unknown} {belong} to no file of the image.</p>"
    yield f"<p>{_prediction(curve)}</p>"
    keys = (
        (Temperature.HOT, "seen in most epochs of the steady state"),
        (Temperature.WARM, "in some"),
        (Temperature.ONCE, "in one stretch, as start-up"),
        (Temperature.COLD, "never"),
    )
    legend = "".join(
        f'<i class="key {LETTERS[it]}"></i>{it.value}: {meaning}' for it, meaning in keys
    )
    yield f'<p class="dim">{legend}</p>'


def _prediction(curve: WhatIf) -> str:
    most = curve.everything
    bound = "" if curve.exact else "at most "
    return (
        f"With all {most.pages:,} pages that save RAM in place, on a kernel that maps any page, "
        f"the image would grow by {bound}{_kib(most.cost)} and the steady state would take "
        f"{_kib(most.saves)} less page cache."
    )


def _curve(curve: WhatIf) -> Iterator[str]:
    yield "<h2>Flash against RAM</h2>"
    if not curve.exact:
        yield (
            '<p class="dim">The stored sizes of pages are not known here: costs are upper '
            "bounds. Give the "
            "captures in the profile's place, or the image with --image.</p>"
        )
    yield curve_svg(curve.points(60))
    yield (
        "<details><summary>as a table</summary><div "
        'class="scroll"><table><thead><tr><th>flash, KiB</th>'
        "<th>RAM saved, KiB</th><th>pages in place</th></tr></thead><tbody>"
    )
    for point in curve.points(10):
        cells = (f"{point.cost / 1024:,.0f}", f"{point.saves / 1024:,.0f}", f"{point.pages:,}")
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div></details>"


def _kernels(profile: Profile, stored: StoredSizes, programs: Programs | None) -> Iterator[str]:
    """The largest saving for each kind of kernel."""
    if programs is None:
        return
    yield '<h3>By kernel</h3><div class="scroll"><table><thead><tr><th>kernel</th>'
    yield '<th class="left">what it does</th>'
    yield "<th>pages in place</th><th>flash, KiB</th><th>RAM saved, KiB</th>"
    yield "<th>flash for 90 % of that, KiB</th></tr></thead><tbody>"
    unknown = 0
    for kernel in KERNELS:
        curve = what_if_mapped_by(kernel, profile, stored, programs.head)
        most, unknown = curve.everything, max(unknown, curve.unknown)
        yield (
            f'<tr><td class="path">{kernel.name}</td><td class="left">{kernel.what}</td>'
            f"<td>{most.pages:,}</td><td>{most.cost / 1024:,.0f}</td>"
            f"<td>{most.saves / 1024:,.0f}</td>"
            f"<td>{curve.saving(0.9).cost / 1024:,.0f}</td></tr>"
        )
    yield "</tbody></table></div>"
    if unknown:
        are, count = ("is", "counts") if unknown == 1 else ("are", "count")
        yield (
            f'<p class="dim">{counted(unknown, "file")} {are} not at hand as recorded, and '
            f"{count} for patched only.</p>"
        )


def _files(rows: Sequence[FileRow]) -> Iterator[str]:
    yield '<h2>Files</h2><div class="scroll"><table id="files"><thead><tr>'
    heads = (
        "pages",
        "used",
        "hot",
        "warm",
        "once",
        "hot share",
        "RAM now, KiB",
        "flash cost, KiB",
    )
    yield '<th data-sort>path</th><th class="left">heat</th>'
    yield (
        "".join(f"<th data-sort>{head}</th>" for head in (*heads, "saves, KiB"))
        + "</tr></thead><tbody>"
    )
    for number, row in enumerate(rows):
        counts = (row.pages, row.used, row.hot, row.warm, row.once)
        cells = [f'<td data-v="{count}">{count}</td>' for count in counts]
        cells.append(f'<td data-v="{row.hot_share:.4f}">{100 * row.hot_share:.0f} %</td>')
        sizes = ((row.ram, ""), (row.cost, "" if row.exact else "≤ "), (row.saves, ""))
        cells += [f'<td data-v="{size}">{bound}{size / 1024:,.0f}</td>' for size, bound in sizes]
        yield (
            f'<tr data-file="{number}"><td class="path">{_safe(row.path)}</td>'
            f'<td class="left">{strip_svg(row)}</td>{"".join(cells)}</tr>'
        )
    yield "</tbody></table></div>"


def _maps(rows: Sequence[FileRow]) -> Iterator[str]:
    yield '<h2>Heat map</h2><p class="dim">A cell is a page of 4 KiB, 64 in a line: 256 KiB.</p>'
    for number, row in enumerate(rows[:MAPS_MAX]):
        yield (
            f'<figure class="map" data-file="{number}"><figcaption class="mono">{_safe(row.path)} '
            f'<span class="dim">{row.used} of {counted(row.pages, "page")}'
            f"</span></figcaption>{map_svg(row)}</figure>"
        )
    if len(rows) > MAPS_MAX:
        more = counted(len(rows) - MAPS_MAX, "more file")
        yield f'<p class="dim">and {more}, in the table above.</p>'


def _functions(rows: Sequence[FileRow], programs: Programs | None) -> Iterator[str]:
    found: list[tuple[int, str, str, int]] = []
    left = PLACES_MAX
    for row in rows:
        hot = [page for page, it in row.classes.items() if it is Temperature.HOT]
        names = (programs.names(row.use) if programs and hot else None) or row.names
        by_page = ((name, page) for page in hot for name in names.functions_on(page))
        places = sorted(islice(by_page, left))
        left -= len(places)
        for name, group in groupby(places, key=itemgetter(0)):
            listed = [page for _, page in group]
            epochs = max(row.use.pages[page].any.epochs for page in listed)
            found.append((-epochs, row.path, name, len(listed)))
        found = nsmallest(HOT_FUNCTIONS, found)
    if not found:
        return
    yield (
        '<h2>Functions on hot pages</h2><p class="dim">A page does not tell which of its '
        "functions ran.</p>"
    )
    yield (
        '<div class="scroll"><table><thead><tr><th>function</th><th '
        'class="left">file</th><th>epochs</th>'
    )
    yield "<th>hot pages</th></tr></thead><tbody>"
    for epochs, path, name, pages in found:
        yield (
            f'<tr><td class="path">{_safe(name)}</td><td class="path left">{_safe(path)}</td>'
            f"<td>{-epochs}</td><td>{pages}</td></tr>"
        )
    yield "</tbody></table></div>"


def _boots(boots: Sequence[BootFacts]) -> Iterator[str]:
    yield "<h2>Boots, phases and losses</h2>"
    for boot in boots:
        weight = f", counted {boot.weight} times" if boot.weight > 1 else ""
        lost = "bad" if boot.losses else "good"
        yield (
            f"<p>image {_safe(boot.fsid)}, kernel {_safe(boot.kernel)}, "
            f"{counted(boot.epochs, 'epoch')}{weight}; lost: "
            f'<span class="{lost}">{losses_text(boot.losses)}</span>{ended_text(boot)}</p>'
        )
        if source := source_of_boot(boot):
            yield f"<p>{_safe(source)}</p>"
        yield phases_svg(boot)
        yield (
            "<ul>"
            + "".join(f"<li>{_safe(line.strip())}</li>" for line in phase_lines(boot))
            + "</ul>"
        )


def _pages(rows: Sequence[FileRow], programs: Programs | None) -> str:
    """The texts of used pages for the script, by file and page, as JSON that cannot end its
    element."""
    left = HOVER_CHARACTERS_MAX
    said: dict[int, dict[int, str]] = {}
    for number, row in enumerate(rows[:MAPS_MAX]):
        names = programs.names(row.use) if programs and left > 0 else None
        said[number] = {}
        for page in sorted(row.use.pages):
            if left <= 0:
                break
            text = page_text(row, page) + (f"; {names_text(names, page)}" if names else "")
            said[number][page] = shown(text)
            left -= len(said[number][page])
    return json.dumps(said, separators=(",", ":")).replace("<", "\\u003c")
