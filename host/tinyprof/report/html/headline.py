# SPDX-License-Identifier: MIT
"""The first screen of the report: what XIP saves and costs, how sure that is, and by how much the
kernel matters. Rows and curves in, HTML out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from tinyprof.plan.what_if import KERNELS, Point, WhatIf
from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import Temperature
from tinyprof.report.html.frame import change, heads, safe, section, signed_size, size, table
from tinyprof.report.html.functions import Values
from tinyprof.report.html.svg import LETTERS, before_after_svg, curves_svg
from tinyprof.tables.columns import kib, percent
from tinyprof.tables.rows import FileRow
from tinyprof.tables.verdict import (
    KNEE_SHARE,
    Base,
    cost_words,
    has_settled,
    saved_words,
    size_words,
    verdict_of,
)
from tinyprof.text import counted

MAINLINE = "mainline"
"""Name of the kernel that the advice compares with."""
SAVERS_SHARE = 2 / 3
"""Share of the saving in the files that the first screen names."""
SAVERS_MAX, NAME_MAX = 5, 32
"""Files that the first screen names, and characters of a name there, at most."""
KNEE = f"{100 * KNEE_SHARE:.0f} %"


def headline(
    profile: Profile,
    rows: Sequence[FileRow],
    values: Sequence[Values],
    base: Base,
    curves: Mapping[str, WhatIf],
) -> Iterator[str]:
    """The tiles and the recommendation, for a kernel that maps any page, then the other facts.

    `rows`: the files that save most first. `values`: the values of their pages that pay.
    """
    kernel, first = next(iter(curves.items()))
    it = verdict_of(first)
    saved = min(it.most.saves, base.ram)
    yield '<div class="tiles">'
    name = f"RAM, steady state · {kernel} kernel"
    yield _big(name, -saved, base.ram, "page cache of the used pages")
    name = f"{'flash' if it.exact else 'flash, at most'} · {kernel} kernel"
    yield _big(name, it.most.cost, base.image, "size of the image")
    yield "</div>"
    advice = recommendation(it.most, it.knee, base, exact=it.exact)
    yield f'<p class="advice">{advice}{_on_mainline(curves) if it.most.pages else ""}</p>'
    if 0 < it.most.pages == sum(map(len, values)):
        yield f"<p>{_savers(rows)}</p>"
        yield f"<p>{_pages_that_pay(rows, values)}</p>"
    yield from _certainty(profile)
    yield '<div class="tiles small">'
    yield from _facts(profile, rows)
    yield "</div>"
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


def recommendation(most: Point, knee: Point, base: Base, *, exact: bool) -> str:
    """What to do, in a sentence or two."""
    if not most.pages:
        return "No page pays: storing pages in place would save no RAM."
    return (
        f"Store {counted(most.pages, 'page')} in place: the steady state then takes "
        f"<strong>{saved_words(most, base)}</strong> less RAM, for "
        f"<strong>{cost_words(most, base, exact=exact)}</strong> more flash. If flash is short, "
        f"{counted(knee.pages, 'page')} for {cost_words(knee, base, exact=exact)} give {KNEE} of "
        "that saving."
    )


def _on_mainline(curves: Mapping[str, WhatIf]) -> str:
    """The saving on a mainline kernel in a sentence; empty where some files cannot be reckoned."""
    curve = curves.get(MAINLINE)
    if curve is None or curve.unknown:
        return ""
    most = curve.everything
    if not most.pages:
        return f" On a {MAINLINE} kernel no page pays."
    bound = "" if curve.exact else "at most "
    return (
        f" On a {MAINLINE} kernel: {size_words(most.saves)} less RAM for {bound}"
        f"{size_words(most.cost)} more flash."
    )


def _savers(rows: Sequence[FileRow]) -> str:
    """The files that hold most of the saving, in a sentence, and a link to all files."""
    whole = sum(row.saves for row in rows)
    enough = sum(saved < SAVERS_SHARE * whole for saved in accumulate(it.saves for it in rows))
    found = rows[: min(SAVERS_MAX, enough + 1)]
    saved = sum(row.saves for row in found)
    named = ", ".join(
        f'<span class="mono">{_short(row.path)}</span> {size(row.saves)}' for row in found
    )
    hold = "holds" if len(found) == 1 else "hold"
    return (
        f"{counted(len(found), 'file')} of {len(rows):,} {hold} {percent(saved, whole)} of the "
        f"saving: {named} ({kib(saved)} of {size(whole)}). "
        '<a href="#files-head">All files</a>'
    )


def _short(path: str) -> str:
    name = path.rpartition("/")[2]
    return safe(name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}…")


def _pages_that_pay(rows: Sequence[FileRow], values: Sequence[Values]) -> str:
    """The reason why the number of pages to store is not that of hot pages, in a sentence."""
    paying = sum(len(worth) for worth in values)
    hot = sum(
        row.classes[page] is Temperature.HOT
        for row, worth in zip(rows, values, strict=True)
        for page in worth
    )
    idle = sum(row.hot for row in rows) - hot
    pay = "page pays" if paying == 1 else "pages pay"
    text = f"{paying:,} {pay}: {hot:,} hot and {paying - hot:,} seldom used."
    if idle:
        do, them = ("page does", "it") if idle == 1 else ("pages do", "them")
        text += f" {idle:,} hot {do} not count: read() or a private copy used {them}."
    return text


def _big(name: str, difference: int, before: int, what: str) -> str:
    figures = f"<b>{signed_size(difference)}</b>"
    if not before:
        return f'<div class="tile big"><h2>{name}</h2>{figures}</div>'
    after = before + difference
    return (
        f'<div class="tile big"><h2>{name}</h2>{figures} '
        f'<b class="share">{change(difference, before)}</b>{before_after_svg(before, after)}'
        f'<span><i class="key was"></i>before {size(before)}</span> '
        f'<span><i class="key will"></i>after {size(after)}</span>'
        f'<span class="dim what">{what}</span></div>'
    )


def _certainty(profile: Profile) -> Iterator[str]:
    lost = [boot for boot in profile.boots if boot.losses]
    boots = counted(len(profile.boots), "boot")
    if lost:
        yield (
            f'<p class="bad">{len(lost)} of {boots} lost something, so pages may be missing: see '
            "the boots.</p>"
        )
    else:
        yield '<p class="good">Nothing was lost.</p>'
    if not has_settled(profile):
        yield (
            '<p class="bad">No steady state can be told from the start-up. These figures are not '
            "final: record for longer, or set a mark where the steady state begins.</p>"
        )
    if profile.unknown_pages:
        unknown = counted(profile.unknown_pages, "used page")
        belong = "belongs" if profile.unknown_pages == 1 else "belong"
        yield f"<p>{unknown} {belong} to no file of the image.</p>"


def _facts(profile: Profile, rows: Sequence[FileRow]) -> Iterator[str]:
    used = sum(row.used for row in rows)
    pages = sum(row.pages for row in rows)
    yield _tile(f"{len(profile.boots)}", "boot" if len(profile.boots) == 1 else "boots")
    yield _tile(f"{profile.epochs:,}", "epoch" if profile.epochs == 1 else "epochs")
    of = "page" if used == 1 else "pages"
    yield _tile(f"{used:,}", f"{of} used of {pages:,} in {counted(len(rows), 'file')}")
    for name in ("hot", "warm", "once"):
        count = sum(getattr(row, name) for row in rows)
        share = f" · {100 * count / used:.0f} %" if used else ""
        yield _tile(f"{count:,}", f"{name}{share}", name[0])


def _tile(value: str, what: str, key: str = "") -> str:
    mark = f'<i class="key {key}"></i>' if key else ""
    return f'<div class="tile"><b>{value}</b>{mark}{what}</div>'


def trade_off(curves: Mapping[str, WhatIf], base: Base) -> Iterator[str]:
    """The curves of all kernels at hand, and the same as a table."""
    first = next(iter(curves.values()))
    note = f"A line for each kernel. The circle is where {KNEE} of its saving is reached."
    if not first.exact:
        note += (
            " The stored sizes of pages are not known here: costs are upper bounds. Give the "
            "captures in the profile's place, or the image with --image."
        )
    yield from section("curve", "Flash against RAM", _curve_parts(curves, base), note)


def _curve_parts(curves: Mapping[str, WhatIf], base: Base) -> Iterator[str]:
    keys = [
        f'<span class="pair"><i class="key line k{number}"></i>{name}</span> '
        for number, name in enumerate(curves)
    ]
    yield f'<p class="dim">{"".join(keys)}</p>'
    yield curves_svg(curves)
    yield from table(
        "by kernel",
        [
            '<th scope="col">kernel</th><th scope="col" class="left wide">what it does</th>',
            *heads("pages in place", "RAM saved", "flash", f"flash for {KNEE}"),
        ],
        _kernel_rows(curves, base),
    )
    unknown = max(curve.unknown for curve in curves.values())
    if unknown:
        are, count = ("is", "counts") if unknown == 1 else ("are", "count")
        yield (
            f'<p class="dim">{counted(unknown, "file")} {are} not at hand as recorded, and '
            f"{count} for patched only.</p>"
        )
    if len(curves) == 1:
        yield (
            '<p class="dim">Give --image or --rootfs for the curves of kernels that map only '
            "some pages.</p>"
        )
    yield '<details><summary>The curve as a table</summary><div class="tables">'
    for name, curve in curves.items():
        rows = (
            f"<tr><td>{it.cost / 1024:,.0f}</td><td>{it.saves / 1024:,.0f}</td>"
            f"<td>{it.pages:,}</td></tr>"
            for it in curve.points(10)
        )
        yield f"<div><h3>{name}</h3>"
        columns = heads("flash, KiB", "RAM saved, KiB", "pages in place")
        yield from table(f"curve of {name}", columns, rows)
        yield "</div>"
    yield "</div></details>"


def _kernel_rows(curves: Mapping[str, WhatIf], base: Base) -> Iterator[str]:
    for kernel in KERNELS:
        if kernel.name in curves:
            it = verdict_of(curves[kernel.name])
            yield (
                f'<tr><td class="path">{kernel.name}</td><td class="left wide">{kernel.what}</td>'
                f"<td>{it.most.pages:,}</td><td>{_kept(saved_words(it.most, base))}</td>"
                f"<td>{_kept(cost_words(it.most, base, exact=it.exact))}</td>"
                f"<td>{_kept(cost_words(it.knee, base, exact=it.exact))}</td></tr>"
            )


def _kept(figures: str) -> str:
    """Figures that break between each other only, and not before their units."""
    return figures.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
