# SPDX-License-Identifier: MIT
"""tinyprof plan: the pages that a budget of flash should buy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cli.building.block_cache import open_cache
from tinyprof.cli.building.compressing import COMPRESSOR, chosen_compressor, compressor_fields
from tinyprof.cli.building.riscv_code import RISCV_CODE, refuse_split_riscv
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import open_profile
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, check_stale, show_match
from tinyprof.cli.types import Bytes
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.compressor import CompressorName, default_compressor
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.plan.plan_file import dump_plan
from tinyprof.plan.planner import Budget, BudgetError, Plan, Planner
from tinyprof.report.html.svg import curve_picture
from tinyprof.report.plans import (
    KNEE,
    curve_document,
    curve_lines,
    curve_points,
    plan_document,
    plan_lines,
)
from tinyprof.rootfs.match import Match, match
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
    shell_complete=files_ending(PROFILES),
    help="Profile, or a capture in its place. Several are merged.",
)
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel that maps the pages.  [default: patched, or mainline with --split-segments]",
)
@RISCV_CODE
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
@click.option("--svg", type=FILE, help="With --curve: write the curve to this file, as a picture.")
@MAX_STALE
@click.option(
    "--level",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Compression level, as in build.",
)
@COMPRESSOR
@click.option(
    "-o", "output", type=FILE, help="Write the plan to this file, for 'tinyprof build --plan'."
)
@click.option("-q", "squash", is_flag=True, help="Let root own everything, as in build.")
@click.option(
    "-v", "verbose", is_flag=True, help="Show all files, and the numbers of their pages."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    rootfs: Path,
    profiles: tuple[Path, ...],
    kernel: KernelModel | None,
    riscv_code: bool,
    splitting: bool,
    processes: int | None,
    max_runs: int | None,
    flash_budget: int | None,
    image_size: int | None,
    save_ram: int | None,
    today: int | None,
    curve: bool,
    svg: Path | None,
    max_stale: float | None,
    level: int,
    compressor: CompressorName | None,
    output: Path | None,
    squash: bool,
    verbose: bool,
    as_json: bool,
) -> Exit:
    limits = (flash_budget, image_size, save_ram)
    _check(limits, curve, output, svg, today)
    refuse_split_riscv(riscv_code, splitting)
    how = _splitting(kernel, max_runs, processes, splitting)
    for path in filter(None, (output, svg)):
        refuse_inputs(path, profiles)
        refuse_inside(path, rootfs)
    tree = Tree.from_directory(rootfs, squash=squash)
    found = _found(profiles, tree, processes)
    check_stale(found, max_stale)
    model: KernelModel = kernel or ("mainline" if splitting else "patched")
    packer = chosen_compressor(compressor)
    options = WriteOptions(level=level, kernel=model, compressor=packer, riscv_code=riscv_code)
    with contextlib.closing(open_cache(level, compressor=options.compressor)) as cache:
        with contextlib.closing(Bar("packing")) as bar:
            planner = Planner(tree, found, options, cache, splitting=how, progress=bar)
        plans = _curve(planner) if curve else [planner.plan(Budget(*limits))]
        cache.save()
    if output:
        write_result(output, dump_plan(plans[0].pages, options.kernel).encode("ascii"))
    if svg:
        write_result(svg, curve_picture(curve_points(plans)).encode())
    _show(plans, curve, today, options, verbose=verbose, as_json=as_json)
    # A share of stale pages that the user allowed is nothing to look at.
    stale = found.counts.unmatched and max_stale is None
    return Exit.LOSS_OR_STALE if stale else Exit.OK


def _found(profiles: Sequence[Path], tree: Tree, processes: int | None) -> Match:
    """The profile's pages in the tree. Names on stderr the files that have changed."""
    found = match(open_profile(profiles, tree=tree), tree)
    if processes is not None:
        found = found.with_processes(processes)
    show_match(found)
    return found


def _check(
    limits: Sequence[int | None],
    curve: bool,
    output: Path | None,
    svg: Path | None,
    today: int | None,
) -> None:
    """Raise click.UsageError for options that contradict one another."""
    if sum(limit is not None for limit in limits) + curve > 1:
        raise click.UsageError(
            "--flash-budget, --image-size, --save-ram and --curve exclude one another"
        )
    if curve and output:
        raise click.UsageError("--curve makes several plans; -o writes one")
    if svg and not curve:
        raise click.UsageError("--svg goes with --curve")
    if today is not None and (curve or not today):
        raise click.UsageError("--compare-size takes the bytes of one image, and no --curve")


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
    """Plans from nothing to all that pays, in even steps of flash, and the one at the knee."""
    with contextlib.closing(Bar("planning")) as bar:
        return _curve_points(planner, bar)


def _curve_points(planner: Planner, progress: Bar) -> list[Plan]:
    everything = planner.plan(Budget())
    most = everything.prediction.image - planner.image_before
    budgets = sorted({most * step // CURVE_POINTS for step in range(1, CURVE_POINTS)})
    plans = [everything]
    for done, budget in enumerate(filter(None, budgets), 1):
        progress(done, len(budgets) + 1)
        plans.append(planner.plan_or_nothing(Budget(flash=budget)))
    if not everything.value:
        return plans
    with contextlib.suppress(BudgetError):
        knee = planner.plan(Budget(ram=round(KNEE * everything.value)))
        if knee.prediction not in [plan.prediction for plan in plans]:
            plans.append(knee)
    return sorted(plans, key=lambda plan: plan.prediction.image)


def _show(
    plans: Sequence[Plan],
    curve: bool,
    today: int | None,
    options: WriteOptions,
    *,
    verbose: bool,
    as_json: bool,
) -> None:
    if as_json:
        document = curve_document(plans) if curve else plan_document(plans[0], today)
        compressor = options.compressor or default_compressor()
        document["compressor"] = compressor_fields(compressor, options.level, options.zopfli)
        click.echo(json.dumps(document))
        return
    for line in curve_lines(plans) if curve else plan_lines(plans[0], today, verbose=verbose):
        click.echo(shown(line))
