# SPDX-License-Identifier: MIT
"""tinyprof report"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyprof.cli.output import shown
from tinyprof.cli.profiles import HOT, limits_of, open_profile
from tinyprof.report import summarize, summary_fields, summary_lines


@click.command(help="Show what PROFILE, or captures in its place, says: runs, losses, files by used pages.")
@click.argument("profile", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--image", type=click.Path(path_type=Path), help="The image in flash, for captures recorded without it."
)
@HOT
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(profile: tuple[Path, ...], image: Path | None, hot: float, as_json: bool) -> None:
    summary = summarize(open_profile(profile, image), limits_of(hot))
    if as_json:
        click.echo(json.dumps(summary_fields(summary)))
        return
    for line in summary_lines(summary):
        click.echo(shown(line))
