# SPDX-License-Identifier: MIT
"""tinyprof order: the order in which a linker should lay out the functions of each program."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import HOT, open_profile, thresholds_of
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, check_stale, show_match
from tinyprof.cramfs.tree import Tree
from tinyprof.disk import read_limited, refuse_inputs, refuse_inside
from tinyprof.errors import about
from tinyprof.plan.ordering.formats import FORMATS, Format, line_name, names_in, render
from tinyprof.plan.ordering.link_map import MAP_MAX, read_map
from tinyprof.plan.ordering.order import settled
from tinyprof.plan.ordering.program import OrderingError, Piece
from tinyprof.plan.ordering.tree import LinkOrder, Refused, Sources, link_orders
from tinyprof.profile.model import Profile
from tinyprof.report.link_order import fields_of_order, lines_of_order
from tinyprof.rootfs.match import match
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)
DEBUG_MAX = 1 << 30
"""Bytes of a debug file that are read, at most."""

ORDER_MAX = 64 << 20
"""Bytes of an earlier order that are read, at most."""


NAMELESS_SHOWN = 5
"""Programs without symbols that are named."""


@click.command(
    help="Write the order in which a linker should lay out the functions of each program in "
    "PROFILE, so that used functions share pages.",
    epilog="Example: tinyprof order boot.tprof --rootfs rootfs/ -o order/ --format gold",
)
@click.argument(
    "profile", nargs=-1, required=True, type=FILE, shell_complete=files_ending(PROFILES)
)
@click.option(
    "--rootfs",
    type=FILE,
    required=True,
    metavar="DIR",
    help="Folder with the programs. Those of another build are found by the symbols that "
    "'profile --symbols' keeps.",
)
@click.option(
    "--debug",
    type=FILE,
    metavar="DIR",
    help="Folder of separate debug files: PATH.debug, or .build-id/.",
)
@click.option(
    "--map",
    "maps",
    type=FILE,
    multiple=True,
    help="Linker map, NAME.map, of the program NAME. Its sections stand for symbols.",
)
@click.option("--program", "only", multiple=True, metavar="PATH", help="Order this program only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="lld: --symbol-ordering-file. gold: --section-ordering-file. ld: linker script for -T. "
    "names: a symbol a line.",
)
@click.option(
    "-o",
    "output",
    type=FILE,
    required=True,
    metavar="FOLDER",
    help="Write PATH.FORMAT for each program into this folder. An order that is there keeps its "
    "lines where their class has not changed.",
)
@HOT
@MAX_STALE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    profile: tuple[Path, ...],
    rootfs: Path,
    debug: Path | None,
    maps: tuple[Path, ...],
    only: tuple[str, ...],
    form: Format,
    output: Path,
    hot: float,
    max_stale: float | None,
    as_json: bool,
) -> Exit:
    # Hundreds of thousands of symbols make no cycles. Looking for some takes a sixth of the time.
    gc.disable()
    click.get_current_context().call_on_close(gc.enable)
    refuse_inside(output / "any", rootfs)
    tree = Tree.from_directory(rootfs, any_owner=True)
    found_profile = open_profile(profile, tree=tree)
    if only:
        found_profile = _only(found_profile, only)
    found = match(found_profile, tree)
    show_match(found)
    check_stale(found, max_stale)
    sources = Sources(
        lambda path, build: _debug_file(debug, path, build),
        _maps(maps, [file.node.path for file in found.files]),
    )
    made = list(link_orders(found_profile, found, sources, thresholds_of(hot)))
    refused = [it for it in made if isinstance(it, Refused)]
    for line in _refused_lines(refused):
        click.echo(line, err=True)
    rows = []
    for it in made:
        if isinstance(it, Refused):
            continue
        file, left = _write(it, form, output, [*profile, *maps])
        for line in _left_lines(it.path, left):
            click.echo(line, err=True)
        rows.append({**fields_of_order(it), "file": str(file), "left_out": left})
        if not as_json:
            for line in lines_of_order(it):
                click.echo(shown(line))
    if as_json:
        click.echo(json.dumps({"format": form, "programs": rows, "stale": found.counts.stale}))
    # Most programs of a device are stripped. That is a fault where nothing else was ordered.
    nameless = sum(it.nameless for it in refused)
    whole = len(refused) == nameless and not any(row["left_out"] for row in rows)
    whole = whole and (not nameless or (bool(rows) and not only))
    stale = found.counts.unmatched and max_stale is None
    return Exit.OK if whole and not stale else Exit.LOSS_OR_STALE


def _only(profile: Profile, paths: Sequence[str]) -> Profile:
    """The profile of some programs. Raises OrderingError for a path that it does not have."""
    for path in paths:
        if path not in {file.path for file in profile.files}:
            raise OrderingError(
                f"{path}: no file of this profile", "'tinyprof report -v' lists its files"
            )
    files = tuple(file for file in profile.files if file.path in paths)
    return Profile(profile.boots, profile.unknown_pages, files, profile.extra, profile.links)


def _debug_file(folder: Path | None, path: str, build: str) -> bytes:
    """The debug file of a program, by its path, else by its build id."""
    if folder is None:
        return b""
    names = [f"{path[1:]}.debug"]
    names += [f".build-id/{build[:2]}/{build[2:]}.debug"] if build else []
    for name in names:
        if (folder / name).is_file():
            return read_limited(folder / name, DEBUG_MAX)
    return b""


def _maps(maps: Sequence[Path], paths: Sequence[str]) -> Mapping[str, Sequence[Piece]]:
    """The pieces of each map by the path of its program. Raises OrderingError for a map of no
    profiled program."""
    found = {}
    for file in maps:
        with about(shown(str(file))):
            named = [path for path in paths if path.rpartition("/")[2] == file.stem]
            if len(named) != 1:
                raise OrderingError(
                    f"{len(named)} profiled programs have the name {file.stem}",
                    "name the map as its program, NAME.map",
                )
            text = read_limited(file, MAP_MAX).decode("utf-8", "surrogateescape")
            found[named[0]] = read_map(text)
    return found


def _write(
    it: LinkOrder, form: Format, folder: Path, inputs: Sequence[Path]
) -> tuple[Path, list[str]]:
    """Write one order. Returns its file, and the names that are left out of it."""
    file = folder / f"{it.path[1:]}.{form}"
    refuse_inputs(file, inputs)
    before = names_in(read_limited(file, ORDER_MAX)) if file.is_file() else {}
    entries = settled(it.entries, before, lambda entry: line_name(form, entry.name))
    data, left = render(form, it.path, entries)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_result(file, data)
    return file, left


def _refused_lines(refused: Sequence[Refused]) -> Iterator[str]:
    """A line for each program without an order, but few for those without symbols."""
    nameless = [it for it in refused if it.nameless]
    for it in [*(it for it in refused if not it.nameless), *nameless[:NAMELESS_SHOWN]]:
        yield f"tinyprof: {shown(it.path)}: {shown(it.reason)}"
    if len(nameless) > NAMELESS_SHOWN:
        more = counted(len(nameless) - NAMELESS_SHOWN, "more program")
        yield f"tinyprof: {more} without symbols"


def _left_lines(path: str, left: Sequence[str]) -> Iterator[str]:
    if left:
        more = f" and {counted(len(left) - 1, 'more name')}" if len(left) > 1 else ""
        yield (
            f"tinyprof: {shown(path)}: {shown(left[0][:80])}{more}: left out, because a linker "
            "could misread it"
        )
