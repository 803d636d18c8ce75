# SPDX-License-Identifier: MIT
"""tinyprof view"""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.cli.output import replace_file
from tinyprof.cli.profiles import index_of, is_capture
from tinyprof.cli.terminal import has_terminal
from tinyprof.errors import TinyprofError
from tinyprof.shown import shown


@click.command(help="Look at CAPTURE as if it were being recorded: files, heat map, what XIP would buy.")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option(
    "--image", type=click.Path(path_type=Path), help="The image in flash, for a capture recorded without it."
)
def command(capture: Path, image: Path | None) -> None:
    if not is_capture(capture):
        raise TinyprofError(f"{shown(str(capture))}: not a capture", "make one with 'tinyprof record'")
    if not has_terminal():
        raise TinyprofError(
            "no terminal to show it on", f"'tinyprof report {shown(str(capture))}' prints what it says"
        )
    index = index_of(image) if image else None
    # Textual takes longer to import than all else.
    from tinyprof.tui.app import LiveApp  # noqa: PLC0415
    from tinyprof.tui.feed import FinishedCapture  # noqa: PLC0415

    LiveApp(FinishedCapture(capture, index), replace_file).run()
