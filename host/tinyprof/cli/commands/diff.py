# SPDX-License-Identifier: MIT
"""tinyprof diff: two profiles compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import HOT, open_profile, origin_of, stored_sizes_of, thresholds_of
from tinyprof.cli.results import write_result
from tinyprof.cli.types import LIMIT
from tinyprof.disk import refuse_inputs
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import Profile
from tinyprof.report.differences import difference_fields, difference_lines, differences
from tinyprof.report.html.comparison import Side, html_comparison
from tinyprof.report.images.limits import Limit
from tinyprof.text import counted, shown


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
@click.option(
    "--max-gained",
    type=LIMIT,
    multiple=True,
    help="Limit of the pages gained: 64K, or 5% of the used pages of ONE. Ends with 3 above it.",
)
@click.option(
    "--max-lost", type=LIMIT, multiple=True, help="Limit of the pages lost, in the same way."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    help="Write the comparison to this file, as one page for a browser.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    one: Path,
    other: Path,
    hot: float,
    verbose: bool,
    max_gained: Sequence[Limit],
    max_lost: Sequence[Limit],
    html: Path | None,
    as_json: bool,
) -> Exit:
    if html:
        refuse_inputs(html, [one, other])
    before, after = open_profile([one]), open_profile([other])
    found = differences(before, after, thresholds_of(hot))
    if html:
        page = html_comparison(_side(one, before), _side(other, after), found, thresholds_of(hot))
        write_result(html, page.encode())
    used = sum(len(file.pages) for file in before.files)
    exceeded = [
        *_exceeded("gained", sum(len(it.gained) for it in found), used, max_gained),
        *_exceeded("lost", sum(len(it.lost) for it in found), used, max_lost),
    ]
    if as_json:
        click.echo(json.dumps({**difference_fields(found), "exceeded": exceeded}))
    elif not html:
        for line in difference_lines(found, verbose=verbose):
            click.echo(shown(line))
    sys.stdout.flush()
    for text in exceeded:
        click.echo(f"tinyprof: {text}", err=True)
    return Exit.LOSS_OR_STALE if exceeded else Exit.OK


def _side(path: Path, profile: Profile) -> Side:
    return Side(profile, stored_sizes_of([path]), origin_of([path]))


def _exceeded(name: str, pages: int, used: int, limits: Sequence[Limit]) -> list[str]:
    """A sentence for each limit that a number of pages exceeds, of `used` pages before."""
    return [
        f"{counted(pages, 'page')} {name}, with {used:,} used before: over the limit {limit.text}"
        for limit in limits
        if not limit.allows(used * PAGE_SIZE, (used + pages) * PAGE_SIZE)
    ]
