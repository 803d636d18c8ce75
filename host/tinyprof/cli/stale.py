# SPDX-License-Identifier: MIT
"""What every command that applies a profile to a tree says of files that have changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyprof.errors import TinyprofError
from tinyprof.text import shown

if TYPE_CHECKING:
    from tinyprof.rootfs.match import Match

from tinyprof.cli.types import Percent


class StaleProfileError(TinyprofError):
    """More of a profile is stale than was allowed."""


MAX_STALE = click.option(
    "--max-stale",
    type=Percent(),
    help="Fail if more of the used pages are not found any more: 20%.",
)


def show_match(found: Match) -> None:
    """Say on stderr which files have changed, and how much."""
    # Images are built without it, and quickly.
    from tinyprof.report.plans import match_lines  # noqa: PLC0415

    for line in match_lines(found):
        click.echo(f"tinyprof: {shown(line)}", err=True)


def check_stale(found: Match, limit: float | None) -> None:
    """Raises StaleProfileError beyond the limit."""
    stale = found.counts.stale
    if limit is not None and stale > limit:
        raise StaleProfileError(
            f"{100 * stale:.1f} % of the profile's used pages are not found any more, over "
            f"{100 * limit:g} %",
            "record the present build, or merge a recording of it into the profile",
        )
