# SPDX-License-Identifier: MIT
"""The report's timeline: boots and rows in, epochs across with pages in use, new pages and phases
out, as HTML.

A profile keeps the first and the last epoch of each page, not all between. So a page counts as in
use from its first epoch to its last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from tinyprof.profile.model import BootFacts, Profile
from tinyprof.profile.temperature import Temperature
from tinyprof.report.html.frame import safe, section
from tinyprof.report.html.svg import columns_svg
from tinyprof.report.summary import ended_text, phase_lines, phase_name, source_of_boot
from tinyprof.tables.ledger import losses_text
from tinyprof.tables.rows import FileRow
from tinyprof.text import counted

COLUMNS_MAX = 240
"""Columns of the timeline. With more epochs, a column stands for several."""
EPOCHS_MAX = 1 << 20
"""Epochs that the timeline draws. A profile is untrusted and may name any number."""


def timeline(profile: Profile, rows: Sequence[FileRow]) -> Iterator[str]:
    """The timeline, and below it each boot with its phases and losses."""
    note = (
        "A page counts as in use from the first epoch that saw it to the last one. "
        '<i class="key h"></i>hot <i class="key o"></i>warm or once '
        '<i class="key new"></i>new in this epoch'
    )
    yield from section("time", "Boots, phases and losses", _parts(profile, rows), note)


def _parts(profile: Profile, rows: Sequence[FileRow]) -> Iterator[str]:
    whole = max((boot.epochs for boot in profile.boots), default=0)
    whole = max(whole, *(_phases_end(boot) for boot in profile.boots), 0, 0)
    if 0 < whole <= EPOCHS_MAX:
        found = columns(rows, whole)
        most = max(hot + other for hot, other, _ in found)
        yield f'<div class="time"><span class="dim">{counted(most, "page")}</span>'
        yield columns_svg(found)
        yield f'<span class="dim ends"><span>epoch 1</span><span>{whole:,}</span></span></div>'
    for boot in profile.boots:
        weight = f", counted {boot.weight} times" if boot.weight > 1 else ""
        lost = "bad" if boot.losses else "good"
        yield _phase_band(boot, whole)
        yield (
            f"<p>image {safe(boot.fsid)}, kernel {safe(boot.kernel)}, "
            f"{counted(boot.epochs, 'epoch')}{weight}; lost: "
            f'<span class="{lost}">{losses_text(boot.losses)}</span>{ended_text(boot)}</p>'
        )
        if source := source_of_boot(boot):
            yield f"<p>{safe(source)}</p>"
        lines = "".join(f"<li>{safe(line.strip())}</li>" for line in phase_lines(boot))
        yield f"<ul>{lines}</ul>" if lines else ""


def _phase_band(boot: BootFacts, whole: int) -> str:
    """The phases of a boot with their names, on the timeline's axis. The list below says the
    same."""
    parts = [
        f'<span class="phase{" steady" if phase.steady else ""}" style="flex-grow:{phase.epochs}">'
        f"{safe(phase_name(phase))}</span>"
        for phase in boot.phases
    ]
    rest = whole - _phases_end(boot)
    if rest > 0:
        parts.append(f'<span style="flex-grow:{rest}"></span>')
    return f'<div class="phases" aria-hidden="true">{"".join(parts)}</div>'


def _phases_end(boot: BootFacts) -> int:
    return sum(phase.epochs for phase in boot.phases)


def columns(rows: Sequence[FileRow], whole: int) -> list[tuple[int, int, int]]:
    """For each stretch of epochs: hot pages in use, other pages in use, and new pages."""
    width = -(-whole // COLUMNS_MAX)
    count = -(-whole // width)
    hot, other, fresh = [0] * (count + 1), [0] * (count + 1), [0] * count
    for row in rows:
        for page, use in row.use.pages.items():
            seen = use.any
            first, last = (
                min(count - 1, max(0, (it - 1) // width)) for it in (seen.first, seen.last)
            )
            counts = hot if row.classes[page] is Temperature.HOT else other
            counts[first] += 1
            counts[max(first, last) + 1] -= 1
            fresh[first] += 1
    return list(zip(accumulate(hot[:-1]), accumulate(other[:-1]), fresh, strict=True))
