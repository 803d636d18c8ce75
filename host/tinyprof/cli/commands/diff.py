# SPDX-License-Identifier: MIT
"""tinyprof diff: two profiles compared."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import HOT, open_profile, thresholds_of
from tinyprof.report.differences import difference_fields, difference_lines, differences
from tinyprof.text import shown


@click.command(
    help="Compare two profiles, or captures in their place: pages gained, lost, hotter, colder.",
    epilog="Example: tinyprof diff before.tprof after.tprof",
)
@click.argument("one", type=click.Path(path_type=Path), shell_complete=files_ending(PROFILES))
@click.argument("other", type=click.Path(path_type=Path), shell_complete=files_ending(PROFILES))
@HOT
@click.option(
    "-v", "verbose", is_flag=True, help="Show all files, and the numbers of their pages."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(one: Path, other: Path, hot: float, verbose: bool, as_json: bool) -> None:
    found = differences(open_profile([one]), open_profile([other]), thresholds_of(hot))
    if as_json:
        click.echo(json.dumps(difference_fields(found)))
        return
    for line in difference_lines(found, verbose=verbose):
        click.echo(shown(line))
