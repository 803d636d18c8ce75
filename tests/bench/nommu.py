# SPDX-License-Identifier: MIT
"""The whole loop on a Cortex-M3 without an MMU: record, plan for several budgets, build, boot.

    .venv/bin/python tests/bench/nommu.py FOLDER

Of each image the table has the copies of programs in RAM, as they were predicted and as the booted
kernel shows them, and the smallest memory with which the workload is done.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "firmware/board")]

from qemu_board.errors import BoardError  # noqa: E402
from qemu_board.fdpic import linker  # noqa: E402
from target.booting import BOARD, TINYPROF, record  # noqa: E402
from target.nommu import ARCH, memory, root_of, shown_mappings  # noqa: E402

STOCK = (*ARCH, "--stock")
RECORDED = "init=/sbin/tinyprof-agent TINYPROF_TTY=/dev/ttyMPS1"
BUDGETS = ("16K", "48K", "64K")
MOST_KIB, LEAST_KIB, STEP_KIB = 4096, 1600, 32
"""KiB of memory of a boot, of one that never comes far, and of the steps in which the smallest
memory is sought."""

TIMEOUT = "60"
"""Seconds after which a boot counts as not done. One that is done takes two."""

DONE = "truth: end /sbin/init"


@dataclass(frozen=True, slots=True)
class Row:
    """An image: its bytes, the KiB of text in RAM at the moment that the guest shows, as predicted
    and as shown, the KiB of all copies, and the smallest memory in KiB."""

    name: str
    size: int
    predicted: int
    shown: int
    copies: int
    smallest: int


def tinyprof(*words: str | Path) -> str:
    run = subprocess.run(
        [*TINYPROF, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def boot(image: Path, kib: int) -> str:
    """Boot with so much memory; what the guest said, whether it came to its end or not."""
    words = [str(BOARD), "run", str(image), "--icount", *STOCK, "--timeout", TIMEOUT]
    command = [*words, "--mem", f"{kib}K"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def smallest_memory(image: Path) -> int:
    """The KiB with which the workload is just done."""
    low, high = LEAST_KIB // STEP_KIB, MOST_KIB // STEP_KIB
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if DONE in boot(image, middle * STEP_KIB) else (middle, high)
    return high * STEP_KIB


def held_files(console: str) -> set[str]:
    """The programs whose text some process holds at the moment that the guest shows."""
    return {
        it.path
        for it in shown_mappings(console)
        if it.path.startswith("/") and it.permissions.startswith("r-x")
    }


def row_of(name: str, image: Path, profile: dict[str, Any], in_place: set[str]) -> Row:
    console = boot(image, MOST_KIB)
    assert DONE in console, console[-400:]
    held = held_files(console)
    pages = {file["path"]: len(file["pages"]) for file in profile["files"]}
    texts = {
        (it.first, it.end)
        for it in shown_mappings(console)
        if it.permissions.startswith("r-x") and it.path.startswith("/") and not it.in_flash
    }
    return Row(
        name,
        image.stat().st_size,
        sum(4 * pages[path] for path in held - in_place),
        sum(end - first for first, end in texts) >> 10,
        memory(console)["MmapCopy"],
        smallest_memory(image),
    )


def main() -> None:
    folder = Path(sys.argv[1])
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        root = root_of(folder, linker())
    except BoardError as error:
        print(f"without FDPIC: {error}", file=sys.stderr)
        root = root_of(folder)
    plain, capture, profile = folder / "plain", folder / "it.tpcap", folder / "it.tprof"
    tinyprof("build", root, plain, "-q", "--kernel", "nommu")
    done = record(plain, capture, *STOCK, "--append", RECORDED, options=("--image", plain))
    assert done.code == 0, done.said
    tinyprof("profile", capture, "-o", profile)
    fields = json.loads(profile.read_text())
    rows = [row_of("nothing in place", plain, fields, set())]
    for budget in (*BUDGETS, ""):
        name = f"planned, {budget} of flash" if budget else "everything that pays in place"
        plan, image = folder / f"{budget or 'all'}.plan", folder / f"{budget or 'all'}.image"
        words: list[str | Path] = ["-q", "-p", profile, "--kernel", "nommu", "-o", plan]
        tinyprof("plan", root, *words, *(["--flash-budget", budget] if budget else []))
        tinyprof("build", root, image, "-q", "--kernel", "nommu", "--plan", plan)
        chosen = set(json.loads(plan.read_text())["pages"])
        rows.append(row_of(name, image, fields, chosen))
    print_table(rows, plain.stat().st_size)


def print_table(rows: list[Row], before: int) -> None:
    print(
        "| image | bytes | growth | text in RAM, predicted | booted | all copies | smallest RAM |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.name} | {row.size:,} | {row.size - before:+,} | {row.predicted:,} KiB "
            f"| {row.shown:,} KiB | {row.copies:,} KiB | {row.smallest:,} KiB |"
        )
    assert all(abs(row.predicted - row.shown) <= 0.05 * rows[0].shown for row in rows)


if __name__ == "__main__":
    main()
