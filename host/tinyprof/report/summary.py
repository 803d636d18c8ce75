# SPDX-License-Identifier: MIT
"""The report of a profile: its boots with phases and losses, and its files with their heat,
hottest first.

A profile comes in. A summary goes out, as lines of text or as the fields of a JSON document. Names
in the lines are not escaped: the printing code has to escape them (text.shown()).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.value import pays
from tinyprof.profile.model import KIND_LETTERS, BootFacts, FileUse, PhaseFacts, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Temperature, Thresholds, temperatures
from tinyprof.profile.tprof import boot_fields
from tinyprof.tables.columns import (
    ROWS_SHOWN,
    more,
    pages_kib,
    percent,
    share,
    table,
    wrapped,
)
from tinyprof.tables.ledger import losses_text
from tinyprof.tables.strip import CELLS, heat_strip
from tinyprof.text import counted
from tinyprof.wire.source import source_text

_ENDED = {
    "silent": "; cut off: the target fell silent",
    "killed": "; cut off: the recorder was killed",
}
"""By the field `ended` of a boot."""

_KIND_WORDS = (("exec", "exec"), ("read", "read"), ("write", "write"), ("file", "read()"))
_KINDS = [(kind.name.lower(), letter) for kind, letter in KIND_LETTERS.items()]


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One file: its number of pages, of used ones, by class, by kind, and worth storing in place.

    `strip` is its heat strip. `processes` as in FileUse.
    """

    path: str
    sha256: str
    size: int
    pages: int
    used: int
    hot: int
    warm: int
    once: int
    worth_xip: int
    exec: int
    read: int
    write: int
    file: int
    strip: str
    processes: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The report. The sums are over `files`, sorted by their hot pages, then by their used
    pages."""

    boots: tuple[BootFacts, ...]
    epochs: int
    unknown_pages: int
    used: int
    hot: int
    warm: int
    once: int
    worth_xip: int
    files: tuple[FileSummary, ...]


def summarize(profile: Profile, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Summary:
    """The summary of a profile."""
    files = [_file(profile, file, thresholds) for file in profile.files]
    files.sort(key=lambda file: (-file.hot, -file.used, file.path, file.sha256))
    return Summary(
        boots=profile.boots,
        epochs=profile.epochs,
        unknown_pages=profile.unknown_pages,
        used=sum(file.used for file in files),
        hot=sum(file.hot for file in files),
        warm=sum(file.warm for file in files),
        once=sum(file.once for file in files),
        worth_xip=sum(file.worth_xip for file in files),
        files=tuple(files),
    )


def _file(profile: Profile, use: FileUse, thresholds: Thresholds) -> FileSummary:
    classes = temperatures(profile, use, thresholds)
    counts = Counter(classes.values())
    pages = pages_in(use.size)
    seen_as = {
        kind: sum(letter in page.seen for page in use.pages.values()) for kind, letter in _KINDS
    }
    return FileSummary(
        path=use.path,
        sha256=use.sha256,
        size=use.size,
        pages=pages,
        used=len(use.pages),
        hot=counts[Temperature.HOT],
        warm=counts[Temperature.WARM],
        once=counts[Temperature.ONCE],
        worth_xip=sum(pays(page) for page in use.pages.values()),
        **seen_as,
        strip=heat_strip(classes, pages),
        processes=use.processes,
    )


def summary_fields(summary: Summary) -> dict[str, Any]:
    """The fields of `tinyprof report --json`."""
    names = ("epochs", "unknown_pages", "used", "hot", "warm", "once", "worth_xip")
    parts = ("hot", "warm", "once", "worth_xip")
    return {
        **{name: getattr(summary, name) for name in names},
        "used_bytes": summary.used * PAGE_SIZE,
        "worth_xip_bytes": summary.worth_xip * PAGE_SIZE,
        "shares": {name: share(getattr(summary, name), summary.used) for name in parts},
        "runs": [boot_fields(boot) for boot in summary.boots],
        "files": [_file_fields(file) for file in summary.files],
    }


def _file_fields(file: FileSummary) -> dict[str, Any]:
    return {
        **asdict(file),
        "used_bytes": file.used * PAGE_SIZE,
        "used_share": share(file.used, file.pages),
    }


def boot_text(boot: BootFacts) -> str:
    """One boot in a line."""
    lost = losses_text(boot.losses)
    weight = f", counted {boot.weight} times" if boot.weight > 1 else ""
    epochs = counted(boot.epochs, "epoch")
    return f"image {boot.fsid}, kernel {boot.kernel}, {epochs}{weight}, lost: {lost}" + ended_text(
        boot
    )


def source_of_boot(boot: BootFacts) -> str:
    """What saw the touches of a boot and what it cannot see; empty for the kernel's own part."""
    if boot.source is None:
        return ""
    in_place = (
        f"; of {counted(boot.in_place, 'page')} in place, those that the kernel maps are not seen"
        if boot.in_place
        else ""
    )
    return f"recorded by {source_text(boot.source)}{in_place}"


def ended_text(boot: BootFacts) -> str:
    """The event that cut the recording of a boot off, if any did."""
    ended = boot.extra.get("ended")
    return _ENDED.get(ended, "") if isinstance(ended, str) else ""


def phase_name(phase: PhaseFacts) -> str:
    """The name of a phase, or words for one that no mark began."""
    steady = phase.steady and phase.first > 1
    return phase.name or ("after it became steady" if steady else "the start")


def phase_lines(boot: BootFacts) -> Iterator[str]:
    """The phases of a boot, a line for each."""
    for phase in boot.phases:
        steady = ", steady state" if phase.steady else ""
        yield (
            f"  from epoch {phase.first}: {phase_name(phase)}, {counted(phase.epochs, 'epoch')}, "
            f"{counted(phase.fresh, 'new page')}{steady}"
        )


def summary_lines(summary: Summary, *, verbose: bool = False) -> Iterator[str]:
    """The text of `tinyprof report`, a line at a time. `verbose`: all files, and their kinds."""
    yield from _total_lines(summary)
    boots = summary.boots if verbose else summary.boots[:ROWS_SHOWN]
    for boot in boots:
        yield from wrapped(boot_text(boot), "", "  ")
        if source := source_of_boot(boot):
            yield from wrapped(source, "  ", "    ")
        for line in phase_lines(boot):
            yield from wrapped(line.strip(), "  ", "    ")
    if len(boots) < len(summary.boots):
        yield more(len(summary.boots) - len(boots), "boot")
    files = summary.files if verbose else summary.files[:ROWS_SHOWN]
    rows = [
        (
            f"{file.hot:,}",
            f"{file.warm:,}",
            f"{file.once:,}",
            f"{file.used:,}",
            f"{file.pages:,}",
            percent(file.used, file.pages),
            pages_kib(file.used),
            file.path,
        )
        for file in files
    ]
    heads = ("hot", "warm", "once", "used", "of pages", "share", "KiB used", "file")
    head, *lines = table(heads, rows)
    yield head
    for file, line in zip(files, lines, strict=True):
        yield line
        yield f"    {file.strip}"
        if verbose:
            kinds = ", ".join(f"{name} {getattr(file, kind):,}" for kind, name in _KIND_WORDS)
            yield f"    pages by kind: {kinds}"
    left = summary.files[len(files) :]
    if left:
        used = sum(file.used for file in left)
        yield more(len(left), "file", f" with {counted(used, 'used page')}")
    yield f"{', '.join(f'{cell} {it.value}' for it, cell in CELLS.items())}"


def _total_lines(summary: Summary) -> Iterator[str]:
    classes = ", ".join(
        f"{getattr(summary, name):,} {name} ({percent(getattr(summary, name), summary.used)})"
        for name in ("hot", "warm", "once")
    )
    yield from wrapped(
        f"{counted(summary.used, 'page')} ({pages_kib(summary.used)} KiB) used in "
        f"{counted(len(summary.files), 'file')}: {classes}",
        "",
        "  ",
    )
    unknown = summary.unknown_pages
    yield from wrapped(
        f"{summary.worth_xip:,} of them ({pages_kib(summary.worth_xip)} KiB, "
        f"{percent(summary.worth_xip, summary.used)}) are worth storing in place"
        + (f"; {counted(unknown, 'page')} of no file" if unknown else ""),
        "",
        "  ",
    )
