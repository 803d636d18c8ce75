# SPDX-License-Identifier: MIT
"""tinyprof view: the live view of a finished recording."""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import recordings_of
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import Exit
from tinyprof.cli.completion import CAPTURES, files_ending
from tinyprof.cli.opening import (
    ROOTFS,
    contents_of,
    index_of,
    index_to_record,
    is_capture,
    meta_of,
)
from tinyprof.cli.terminal import has_terminal, until_signalled
from tinyprof.disk import replace_file
from tinyprof.errors import TinyprofError
from tinyprof.text import shown

FILE = click.Path(path_type=Path)


@click.command(
    help="Show CAPTURE in the live view: files, a heat map, and what XIP would buy.\n\n"
    "Name all parts of a recording that --roll has split.",
    epilog="Example: tinyprof view boot.tpcap --image plain.cramfs",
)
@click.argument(
    "capture", nargs=-1, required=True, type=FILE, shell_complete=files_ending(CAPTURES)
)
@click.option(
    "--image",
    type=FILE,
    help="The image in the target's flash, for names, and for a capture that has no index.",
)
@ROOTFS
def command(capture: tuple[Path, ...], image: Path | None, rootfs: Path | None) -> Exit:
    for path in capture:
        if not is_capture(path):
            raise TinyprofError(
                f"{shown(str(path))}: not a capture", "make one with 'tinyprof record'"
            )
    if not has_terminal():
        raise TinyprofError(
            "no terminal to show it on",
            f"'tinyprof report {shown(str(capture[0]))}' prints what it says",
        )
    recordings = recordings_of([meta_of(path) for path in capture])
    if len(recordings) > 1:
        raise TinyprofError(
            "these are not the parts of one recording",
            "look at one, or merge them with 'tinyprof profile'",
        )
    parts = [capture[place] for place in recordings[0]]
    index = index_of(image) if image else _index_of_tree(parts[0], rootfs)
    # Textual takes longer to import than all else.
    from tinyprof.live.playback import FinishedCapture  # noqa: PLC0415
    from tinyprof.tui.app import LiveApp  # noqa: PLC0415

    with until_signalled() as wanted:
        feed, contents = FinishedCapture(parts, index), contents_of(image, rootfs)
        LiveApp(feed, replace_file, wanted, contents, lambda: wanted.terminal_is_gone).run()
        return Exit.INTERRUPTED if wanted() or wanted.terminal_is_gone else Exit.OK


def _index_of_tree(first: Path, rootfs: Path | None) -> ImageIndex | None:
    """The index of a tree, for a capture that carries none."""
    if rootfs is None:
        return None
    with first.open("rb") as file:
        own = CaptureReader(file, shown(str(first))).index
    return None if own else index_to_record(None, rootfs)
