# SPDX-License-Identifier: MIT
"""The options of tinyprof build, and the combinations of them that make no sense."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from tinyprof.cli.building.riscv_code import refuse_split_riscv
from tinyprof.cramfs.format import ByteOrder
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.writing.compressor import CompressorName
from tinyprof.cramfs.writing.writer import IMAGE_NAME_MAX
from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.split_tree import AS_PLANNED, Prices, Splitting

STDOUT = Path("-")
EDITION_MAX = (1 << 32) - 1
BYTE_ORDERS: dict[str, ByteOrder] = {
    **{"L": "little", "B": "big", "little": "little", "big": "big"},
    "host": "little" if sys.byteorder == "little" else "big",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The options of the command line."""

    profile: Path | None
    plan_file: Path | None
    programs: int
    kernel: KernelModel | None
    riscv_code: bool
    splitting: bool
    max_runs: int | None
    processes: int | None
    explained: bool
    level: int
    zopfli: bool
    compressor: CompressorName | None
    no_cache: bool
    jobs: int
    name: str
    edition: int
    table: Path | None
    squash: bool
    hard_links: bool
    pad: bool
    insert: Path | None
    holes: bool
    extended: bool
    order: str | None
    endian: str | None
    block_size: int
    max_stale: float | None
    strict: bool
    verbose: int
    sorted_: bool
    as_json: bool

    def inputs(self) -> list[Path]:
        """The files that are read beside the root filesystem."""
        return [path for path in (self.profile, self.plan_file, self.table, self.insert) if path]


def refuse_contradictions(image: Path, words: Words) -> None:
    """Raise click.UsageError for options that contradict one another."""
    if sum(map(bool, (words.profile, words.plan_file, words.programs))) > 1:
        raise click.UsageError("--profile, --plan and -X exclude one another")
    if len(os.fsencode(words.name)) > IMAGE_NAME_MAX:
        raise click.UsageError(
            f"-n {words.name}: an image's name has at most {IMAGE_NAME_MAX} bytes"
        )
    if (words.max_runs is not None or words.processes is not None) and not words.splitting:
        raise click.UsageError("--max-runs and --processes say how to --split-segments")
    refuse_split_riscv(words.riscv_code, words.splitting)
    if words.order and words.endian:
        raise click.UsageError("-N and -B or -L exclude one another")
    if words.block_size != PAGE_SIZE:
        raise click.UsageError(
            f"-b {words.block_size}: blocks have {PAGE_SIZE} bytes, as the target's pages have"
        )
    if image == STDOUT and (words.as_json or words.explained or words.verbose > 1):
        raise click.UsageError(
            "with the image on standard output there is no place for the text "
            "of --json, --explain and -v -v"
        )


def splitting_of(words: Words) -> Splitting:
    """The way to split segments. Raises click.UsageError for options that contradict it."""
    if words.kernel not in (None, "mainline"):
        raise click.UsageError(
            f"--split-segments is for --kernel mainline, not for {words.kernel}"
        )
    if words.plan_file and (words.max_runs is not None or words.processes is not None):
        raise click.UsageError(
            "--plan lists the pages; --max-runs and --processes choose them by --profile"
        )
    if words.plan_file:
        return Splitting(AS_PLANNED, None)
    if not words.profile:
        raise click.UsageError(
            "--split-segments needs --profile or --plan to know the pages to map in place"
        )
    return Splitting(Prices(), words.max_runs)
