# SPDX-License-Identifier: MIT
"""tinyprof export: a profile or a recording in the format of another tool."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tinyprof.capture.parts import Parts, recordings_of
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import Exit
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import index_of, is_capture, meta_of, open_profile
from tinyprof.errors import TinyprofError
from tinyprof.profile.model import Profile
from tinyprof.report.export.axfs import axfs_lines
from tinyprof.report.export.pages_csv import csv_lines
from tinyprof.report.export.trace import trace_pieces
from tinyprof.text import shown

FILE = click.Path(path_type=Path)


@click.command(
    help="Write PROFILE, or captures in its place, to stdout in the format of another tool.",
    epilog="Example: tinyprof export boot.tpcap --format perfetto > boot.json",
)
@click.argument(
    "profile", nargs=-1, required=True, type=FILE, shell_complete=files_ending(PROFILES)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["axfs-csv", "pages-csv", "perfetto"]),
    required=True,
    help="axfs-csv: the table that mkfs.axfs -i reads. pages-csv: a row for each used page. "
    "perfetto: the timeline of a recording, for ui.perfetto.dev.",
)
@click.option(
    "--image", type=FILE, help="Image in flash, for captures that were recorded without it."
)
def command(profile: tuple[Path, ...], form: str, image: Path | None) -> Exit:
    if form == "perfetto":
        return _timeline(profile, image)
    found = open_profile(profile, image)
    if form == "pages-csv":
        return _print(csv_lines(found))
    return _axfs(found)


def _axfs(found: Profile) -> Exit:
    lines, unwritable = axfs_lines(found)
    for path in unwritable:
        click.echo(f"tinyprof: {shown(path)}: axfs-csv cannot write this name; left out", err=True)
    _print(lines)
    return Exit.LOSS_OR_STALE if unwritable else Exit.OK


def _print(lines: Iterable[str]) -> Exit:
    for line in lines:
        # A name is written as the bytes that it has in the image.
        click.echo(line.encode("utf-8", "surrogateescape"))
    return Exit.OK


def _timeline(paths: tuple[Path, ...], image: Path | None) -> Exit:
    """Print the timeline of one recording. Raises TinyprofError for anything else."""
    for path in paths:
        if not is_capture(path):
            raise TinyprofError(
                f"{shown(str(path))}: not a capture; a profile does not know when pages were used",
                "give the recording, or another --format",
            )
    recordings = recordings_of([meta_of(path) for path in paths])
    if len(recordings) > 1:
        raise TinyprofError(
            "these are not the parts of one recording", "export one recording after the other"
        )
    given = index_of(image) if image else None
    opened: list[CaptureReader] = []

    def readers() -> Iterator[CaptureReader]:
        for place in recordings[0]:
            file = files.enter_context(paths[place].open("rb"))
            opened.append(CaptureReader(file, shown(str(paths[place]))))
            yield opened[-1]

    with contextlib.ExitStack() as files:
        parts = Parts(readers())
        index = given or parts.index
        if index is None:
            raise TinyprofError(
                f"{parts.name}: the capture carries no image index",
                "give the image that was in flash with --image",
            )
        for piece in trace_pieces(parts.events(), index):
            sys.stdout.write(piece)
    whole = all(reader.cut_at is None for reader in opened)
    return Exit.OK if whole else Exit.LOSS_OR_STALE
