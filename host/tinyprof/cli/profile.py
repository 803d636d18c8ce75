# SPDX-License-Identifier: MIT
"""tinyprof profile"""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.output import replace_file, shown
from tinyprof.cli.profiles import profile_of_captures
from tinyprof.report import run_text
from tinyprof.tprof import dump_profile


@click.command(help="Resolve and merge CAPTURES into a profile, a run for each boot of a target.")
@click.argument("captures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--image", type=click.Path(path_type=Path), help="The image in flash, for captures recorded without it."
)
@click.option("-o", "output", required=True, type=click.Path(path_type=Path))
def command(captures: tuple[Path, ...], image: Path | None, output: Path) -> Exit:
    profile, whole = profile_of_captures(captures, image)
    replace_file(output, dump_profile(profile).encode())
    for run in profile.runs:
        if run.losses:
            click.echo(f"tinyprof: {shown(run_text(run))}", err=True)
    pages = sum(len(file.pages) for file in profile.files)
    click.echo(
        f"{shown(str(output))}: {pages} pages of {len(profile.files)} files, {profile.epochs} epochs in "
        f"{len(profile.runs)} runs",
        err=True,
    )
    return Exit.OK if whole else Exit.LOSS_OR_STALE
