# SPDX-License-Identifier: MIT
"""tinyprof plan: the pages that a budget of flash should buy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.building.block_cache import open_cache
from tinyprof.cli.opening import open_profile
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, check_stale, show_match
from tinyprof.cli.types import Bytes
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.plan.plan_file import dump_plan
from tinyprof.plan.planner import Budget, Plan, Planner
from tinyprof.report.plans import curve_fields, curve_lines, plan_document, plan_lines
from tinyprof.rootfs.match import match
from tinyprof.segments.split_tree import Prices, Splitting
from tinyprof.text import shown

FILE = click.Path(path_type=Path)
CURVE_POINTS = 10


BYTES = Bytes()


@click.command(
    help="Choose the pages of ROOTFS to store in place by a profile, and predict the image's size "
    "and page cache.",
    epilog="Example: tinyprof plan rootfs/ -p boot.tprof --flash-budget 600K -o boot.plan",
)
@click.argument("rootfs", type=FILE)
@click.option(
    "-p",
    "--profile",
    "profiles",
    type=FILE,
    multiple=True,
    required=True,
    help="Profile, or a capture in its place. Several are merged.",
)
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel that maps the pages.  [default: patched]",
)
@click.option(
    "--split-segments",
    "splitting",
    is_flag=True,
    help="Split the segments of programs, so that a stock kernel maps scattered pages.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Number of processes that map each file.  [default: as the profile counted, else 10]",
)
@click.option(
    "--max-runs", type=click.IntRange(1), help="Runs of pages in place in each file, at most."
)
@click.option(
    "--flash-budget", type=BYTES, help="Bytes by which the image may grow, at most: 300K, 1M."
)
@click.option("--image-size", type=BYTES, help="Bytes of the image, at most: 300K, 1M.")
@click.option(
    "--save-ram",
    type=BYTES,
    help="Bytes of page cache that the steady state is to need less, at least.",
)
@click.option(
    "--compare-size",
    "today",
    type=BYTES,
    help="Compare the planned image with one of this many bytes, such as today's squashfs.",
)
@click.option(
    "--curve",
    is_flag=True,
    help="Show the RAM that flash saves, for budgets from nothing to all.",
)
@MAX_STALE
@click.option(
    "--level",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Compression level, as in build.",
)
@click.option(
    "-o", "output", type=FILE, help="Write the plan to this file, for 'tinyprof build --plan'."
)
@click.option("-q", "squash", is_flag=True, help="Let root own everything, as in build.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    rootfs: Path,
    profiles: tuple[Path, ...],
    kernel: KernelModel | None,
    splitting: bool,
    processes: int | None,
    max_runs: int | None,
    flash_budget: int | None,
    image_size: int | None,
    save_ram: int | None,
    today: int | None,
    curve: bool,
    max_stale: float | None,
    level: int,
    output: Path | None,
    squash: bool,
    as_json: bool,
) -> Exit:
    budget = Budget(flash_budget, image_size, save_ram)
    if sum(limit is not None for limit in (flash_budget, image_size, save_ram)) + curve > 1:
        raise click.UsageError(
            "--flash-budget, --image-size, --save-ram and --curve exclude one another"
        )
    if curve and output:
        raise click.UsageError("--curve makes several plans; -o writes one")
    if today is not None and (curve or not today):
        raise click.UsageError("--compare-size takes the bytes of one image, and no --curve")
    how = _splitting(kernel, max_runs, processes, splitting)
    if output:
        refuse_inputs(output, profiles)
        refuse_inside(output, rootfs)
    tree = Tree.from_directory(rootfs, squash=squash)
    found = match(open_profile(profiles, tree=tree), tree)
    if processes is not None:
        found = found.with_processes(processes)
    show_match(found)
    check_stale(found, max_stale)
    with contextlib.closing(open_cache(level)) as cache:
        options = WriteOptions(
            level=level, kernel=kernel or ("mainline" if splitting else "patched")
        )
        planner = Planner(tree, found, options, cache, splitting=how)
        plans = _curve(planner) if curve else [planner.plan(budget)]
        cache.save()
    if output:
        write_result(output, dump_plan(plans[0].pages).encode("ascii"))
    _show(plans, curve, as_json, today)
    return Exit.LOSS_OR_STALE if found.counts.unmatched else Exit.OK


def _splitting(
    kernel: KernelModel | None, max_runs: int | None, processes: int | None, splitting: bool
) -> Splitting | None:
    """How to split, if at all. Raises click.UsageError for options that contradict one another."""
    if not splitting:
        if processes is not None or max_runs is not None:
            raise click.UsageError("--max-runs and --processes go with --split-segments")
        return None
    if kernel not in (None, "mainline"):
        raise click.UsageError(f"--split-segments is for --kernel mainline, not for {kernel}")
    return Splitting(Prices(), max_runs)


def _curve(planner: Planner) -> list[Plan]:
    """Plans from nothing to all that pays, in even steps of flash."""
    everything = planner.plan(Budget())
    most = everything.prediction.image - planner.image_before
    budgets = sorted({most * step // CURVE_POINTS for step in range(1, CURVE_POINTS)})
    plans = [planner.plan_or_nothing(Budget(flash=budget)) for budget in budgets if budget > 0]
    return [*plans, everything]


def _show(plans: Sequence[Plan], curve: bool, as_json: bool, today: int | None) -> None:
    if as_json:
        document = {"curve": curve_fields(plans)} if curve else plan_document(plans[0], today)
        click.echo(json.dumps(document))
        return
    for line in curve_lines(plans) if curve else plan_lines(plans[0], today):
        click.echo(shown(line))
