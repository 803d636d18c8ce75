# SPDX-License-Identifier: MIT
"""tinyprof export: a profile in the format of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.opening import open_profile
from tinyprof.report.axfs import axfs_lines
from tinyprof.text import shown


@click.command(
    help="Write PROFILE, or captures in its place, to stdout in the format of another tool.",
    epilog="Example: tinyprof export boot.tprof --format axfs-csv > boot.csv",
)
@click.argument("profile", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["axfs-csv"]),
    required=True,
    help="axfs-csv: the table that mkfs.axfs -i reads.",
)
def command(profile: tuple[Path, ...], form: str) -> Exit:
    lines, unwritable = axfs_lines(open_profile(profile))
    for path in unwritable:
        click.echo(f"tinyprof: {shown(path)}: {form} cannot write this name; left out", err=True)
    for line in lines:
        # A name is written as the bytes that it has in the image.
        click.echo(line.encode("utf-8", "surrogateescape"))
    return Exit.LOSS_OR_STALE if unwritable else Exit.OK
