# SPDX-License-Identifier: MIT
"""Messages about files that have changed since the profile, for all commands that apply a profile
to a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyprof.errors import TinyprofError
from tinyprof.text import shown

if TYPE_CHECKING:
    from tinyprof.rootfs.match import Match

from tinyprof.cli.types import Percent


class StaleProfileError(TinyprofError):
    """A larger share of a profile is stale than was allowed."""


MAX_STALE = click.option(
    "--max-stale",
    type=Percent(),
    help="Fail if a larger share of the profile's used pages is not found in ROOTFS: 20%. A share "
    "up to this one is told, and ends with exit code 0.",
)


def show_match(found: Match) -> None:
    """Name the changed files on stderr, and the pages found in each."""
    # `tinyprof build` imports this module, and has to stay quick.
    from tinyprof.report.plans import match_lines  # noqa: PLC0415

    for line in match_lines(found):
        click.echo(f"tinyprof: {shown(line)}", err=True)


def check_stale(found: Match, limit: float | None) -> None:
    """Raises StaleProfileError if the stale share is over the limit."""
    stale = found.counts.stale
    if limit is not None and stale > limit:
        raise StaleProfileError(
            f"{100 * stale:.1f} % of the profile's used pages are not found any more, over "
            f"{100 * limit:g} %",
            "record the present build, or merge a recording of it into the profile",
        )
