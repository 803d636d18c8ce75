# SPDX-License-Identifier: MIT
"""The report of a profile: its runs, and its files with their used pages, most first.

A profile comes in; a summary goes out, and that as lines of text or as the fields of a JSON document. Names
in the lines are as they were recorded: whoever prints them makes them harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tinyprof.cramfs import PAGE_SIZE
from tinyprof.heat import Losses
from tinyprof.plan import pays
from tinyprof.profile import FileUse, Profile, RunFacts, run_fields
from tinyprof.records import Kind


@dataclass(frozen=True, slots=True)
class FileSummary:
    """Pages of one file: all, those used, those worth storing in place, and those seen as each kind."""

    path: str
    sha256: str
    size: int
    pages: int
    used: int
    worth_xip: int
    exec: int
    read: int
    write: int
    file: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The report; sums are over `files`, which stand in the order of their used pages."""

    runs: tuple[RunFacts, ...]
    epochs: int
    unknown_pages: int
    used: int
    worth_xip: int
    files: tuple[FileSummary, ...]


def summarize(profile: Profile) -> Summary:
    """Count what a profile holds."""
    files = sorted(map(_file, profile.files), key=lambda file: (-file.used, file.path, file.sha256))
    used, worth = sum(file.used for file in files), sum(file.worth_xip for file in files)
    return Summary(profile.runs, profile.epochs, profile.unknown_pages, used, worth, tuple(files))


def _file(use: FileUse) -> FileSummary:
    pages = use.pages.values()
    seen_as = [sum(page.by_kind[kind] > 0 for page in pages) for kind in Kind]
    worth = sum(pays(page) for page in pages)
    return FileSummary(use.path, use.sha256, use.size, -(-use.size // PAGE_SIZE), len(pages), worth, *seen_as)


def summary_fields(summary: Summary) -> dict[str, Any]:
    """The fields of `tinyprof report --json`."""
    return {
        "epochs": summary.epochs,
        "unknown_pages": summary.unknown_pages,
        "used": summary.used,
        "worth_xip": summary.worth_xip,
        "runs": [run_fields(run) for run in summary.runs],
        "files": [asdict(file) for file in summary.files],
    }


def losses_text(losses: Losses) -> str:
    """What is missing, by cause, in words."""
    causes = (
        (losses.frames, "frame", ""),
        (losses.corrupt, "stretch", " of garbage"),
        (losses.records, "record", ""),
        (losses.untraced, "touch", " not traced"),
        (losses.write_errors, "frame", " not written"),
        (losses.beyond_limits, "record", " beyond all limits"),
    )
    return ", ".join(f"{_counted(count, what)}{how}" for count, what, how in causes if count) or "nothing"


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    return f"{count} {what}es" if what.endswith("ch") else f"{count} {what}s"


def run_text(run: RunFacts) -> str:
    """One run in a line."""
    lost = losses_text(run.losses)
    return f"image {run.fsid}, kernel {run.kernel}, {run.epochs} epochs, lost: {lost}"


def summary_lines(summary: Summary) -> Iterator[str]:
    """The text of `tinyprof report`, a line at a time."""
    yield from map(run_text, summary.runs)
    yield (
        f"{summary.used} pages used in {len(summary.files)} files, {summary.worth_xip} worth storing in place"
        + (f", {summary.unknown_pages} of no file" if summary.unknown_pages else "")
    )
    yield "  used  worth XIP  of pages  exec  read write  file  path"
    for file in summary.files:
        kinds = f"{file.exec:6}{file.read:6}{file.write:6}{file.file:6}"
        yield f"{file.used:6}{file.worth_xip:11}{file.pages:10}{kinds}  {file.path}"
