# SPDX-License-Identifier: MIT
"""tinyprof report: the contents of a profile, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import (
    HOT,
    ROOTFS,
    contents_of,
    is_capture,
    open_profile,
    origin_of,
    stored_sizes_of,
    thresholds_of,
)
from tinyprof.cli.results import write_result
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.plan.ordering.bound import SymbolsOf, bounds
from tinyprof.profile.model import FileUse, NamedRange
from tinyprof.report.held import mapping_lines, mapping_rows
from tinyprof.report.html.page import Programs, html_report
from tinyprof.report.link_order import bound_lines, bound_rows
from tinyprof.report.summary import summarize, summary_fields, summary_lines
from tinyprof.rootfs.contents import Contents
from tinyprof.text import shown


@click.command(
    help="Show the contents of PROFILE, or of captures in its place: boots, losses, and files by "
    "their used pages.",
    epilog="Example: tinyprof report boot.tprof --html boot.html",
)
@click.argument(
    "profile",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=files_ending(PROFILES),
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="Image in flash. It is needed for captures recorded without it, for exact costs, and for "
    "names with --html.",
)
@ROOTFS
@HOT
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    help="Write the report to this file, as one page for a browser.",
)
@click.option("-v", "verbose", is_flag=True, help="Show all files, and the kinds of their pages.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    profile: tuple[Path, ...],
    image: Path | None,
    rootfs: Path | None,
    hot: float,
    html: Path | None,
    verbose: bool,
    as_json: bool,
) -> None:
    if rootfs and not html and not any(map(is_capture, profile)):
        raise click.UsageError("--rootfs goes with --html, or with captures")
    if html:
        refuse_inputs(html, [*profile, *([image] if image else [])])
        if rootfs:
            refuse_inside(html, rootfs)
    found = open_profile(profile, image, rootfs)
    summary = summarize(found, thresholds_of(hot))
    contents = contents_of(image, rootfs)
    if html:
        programs = Programs(contents.names, contents.head) if contents else None
        stored, origin = stored_sizes_of(profile, image), origin_of(profile, image)
        page = html_report(found, stored, thresholds_of(hot), programs, origin)
        write_result(html, page.encode())
        if not as_json:
            return
    denser = bounds(found, _symbols_of(contents))
    if as_json:
        more = {"orders": bound_rows(denser), "mappings": mapping_rows(found)}
        click.echo(json.dumps({**summary_fields(summary), **more}))
        return
    for line in summary_lines(summary, verbose=verbose):
        click.echo(shown(line))
    for line in mapping_lines(found, verbose=verbose):
        click.echo(shown(line))
    for line in bound_lines(denser, verbose=verbose):
        click.echo(shown(line))


def _symbols_of(contents: Contents | None) -> SymbolsOf:
    """The symbols of an image's or a tree's files, else those that the profile keeps."""

    def symbols(file: FileUse) -> Sequence[NamedRange]:
        names = contents.names(file) if contents else None
        return names.functions if names else file.symbols

    return symbols
