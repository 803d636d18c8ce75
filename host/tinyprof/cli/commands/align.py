# SPDX-License-Identifier: MIT
"""tinyprof align: object files whose functions begin pages, for the recording link."""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.results import write_result
from tinyprof.cramfs.format import FILE_MAX
from tinyprof.disk import read_limited, refuse_inputs
from tinyprof.errors import about
from tinyprof.plan.ordering.formats import name_of_section, names_in, without_number
from tinyprof.plan.ordering.relocatable import Aligned, Chosen, align_functions
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)
OBJECT_MAX = 1 << 30
"""Bytes of an object file or an archive that are read, at most."""

ORDER_MAX = 64 << 20
"""Bytes of an order that are read, at most."""


@click.command(
    help="Let each function in OBJECTS begin a page, for a recording link. The objects are "
    "changed, unless -o names a folder. They have to be compiled with -ffunction-sections.",
    epilog="Example: tinyprof align *.o && cc *.o -o program",
)
@click.argument("objects", nargs=-1, required=True, type=FILE)
@click.option(
    "--only",
    "order",
    type=FILE,
    metavar="ORDER",
    help="Align the functions in this order alone, as 'tinyprof order' wrote it.",
)
@click.option("--data", "with_data", is_flag=True, help="Align read-only data too.")
@click.option("-o", "output", type=FILE, metavar="FOLDER", help="Write the objects here instead.")
def command(
    objects: tuple[Path, ...], order: Path | None, with_data: bool, output: Path | None
) -> Exit:
    chosen = _chosen(order)
    names = [path.name for path in objects]
    if output and (twice := [name for name in names if names.count(name) > 1]):
        raise click.UsageError(f"{twice[0]}: two objects have this name; -o takes one of them")
    made: list[Aligned] = []
    for path in objects:
        with about(shown(str(path))):
            made.append(
                align_functions(read_limited(path, OBJECT_MAX), chosen, with_data=with_data)
            )
    if output:
        output.mkdir(parents=True, exist_ok=True)
    for path, it in zip(objects, made, strict=True):
        if output:
            refuse_inputs(output / path.name, objects)
        write_result(output / path.name if output else path, it.data)
    return _tell(made)


def _chosen(order: Path | None) -> Chosen:
    if order is None:
        return lambda section: True
    classes = names_in(read_limited(order, ORDER_MAX))
    wanted = {without_number(name).removesuffix(".cold") for it in classes.values() for name in it}
    return lambda section: without_number(name_of_section(section)) in wanted


def _tell(made: list[Aligned]) -> Exit:
    sections, size = sum(it.sections for it in made), sum(it.size for it in made)
    objects, plain = sum(it.objects for it in made), sum(it.plain for it in made)
    click.echo(
        f"{counted(sections, 'section')} of {counted(objects, 'object')} begin pages: "
        f"{size:,} bytes when linked",
        err=True,
    )
    if plain:
        click.echo(
            f"tinyprof: {counted(plain, 'object')} without sections for single functions; compile "
            "with -ffunction-sections",
            err=True,
        )
    if size > FILE_MAX:
        click.echo(
            f"tinyprof: a program of all of them is larger than CramFS's {FILE_MAX:,} bytes a "
            "file; align some of them, or use --only",
            err=True,
        )
    return Exit.LOSS_OR_STALE if plain or size > FILE_MAX else Exit.OK
