# SPDX-License-Identifier: MIT
"""The whole loop on a Cortex-M3 without an MMU: record, plan for several budgets, build, boot.

    .venv/bin/python tests/bench/nommu.py FOLDER

Of each image the table has the copies of programs in RAM in the steady state, as predicted and as
a second recording shows them, and the smallest memory with which the workload is done.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "firmware/board")]

from demos.steps import clear  # noqa: E402
from qemu_board.busybox import busybox  # noqa: E402
from qemu_board.errors import BoardError  # noqa: E402
from qemu_board.fdpic import linker  # noqa: E402
from target.booting import BOARD, TINYPROF, record  # noqa: E402
from target.nommu import ARCH, memory, root_of, shown_mappings  # noqa: E402

T = TypeVar("T")

STOCK = (*ARCH, "--stock")
RECORDED = "init=/sbin/tinyprof-agent TINYPROF_TTY=/dev/ttyMPS1"
BUDGETS = ("16K", "48K", "64K")
MOST_KIB, ENOUGH_KIB, STEP_KIB = 4096, 3072, 32
"""KiB of memory of a boot, of one that is always done, and of the steps in which the smallest
memory is sought."""

TIMEOUT = "60"
"""Seconds after which a boot counts as not done. One that is done takes two."""

LAST = "truth: end /sbin/init"
"""The line of a guest that came to its end."""

DONE = re.compile(r"truth: end (\S+)|jobs: (done|the daemon lives, (?=\d))")
"""Lines of a program that came to its end, or to that of a part of its work."""


@dataclass(frozen=True, slots=True)
class Row:
    """An image: its bytes, the mean KiB of text in RAM in the steady state, as predicted and as
    booted, the KiB of all copies at the moment that the guest shows, and the smallest memory."""

    name: str
    size: int
    predicted: float
    booted: float
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


def done(console: str) -> list[str]:
    """The work that was done: a name for each process, or part of its work."""
    return sorted("".join(names) for names in DONE.findall(console))


def smallest_memory(image: Path, all_done: list[str]) -> int:
    """The KiB down to which all of the work is done. With less it may be done again, by chance: a
    copy needs memory in one piece."""
    kib = ENOUGH_KIB
    while done(boot(image, kib)) == all_done:
        kib -= STEP_KIB
    assert kib < ENOUGH_KIB, "the work is not done with ENOUGH_KIB"
    return kib + STEP_KIB


def recorded(image: Path) -> dict[str, Any]:
    """The profile of an image that is booted under the agent, once."""
    if image.with_suffix(".tprof").exists():
        found: dict[str, Any] = json.loads(image.with_suffix(".tprof").read_text())
        return found
    capture, profile = image.with_suffix(".tpcap"), image.with_suffix(".tprof")
    options = ("--image", image, "--one-way")
    done = record(image, capture, *STOCK, "--append", RECORDED, options=options)
    assert done.code == 0, done.said
    tinyprof("profile", capture, "-o", profile)
    fields: dict[str, Any] = json.loads(profile.read_text())
    return fields


def mean_copies(profile: dict[str, Any], in_place: set[str]) -> float:
    """The mean KiB of mapped text outside the flash, over the steady state of a boot."""
    phases = (phase for run in profile["runs"] for phase in run["phases"])
    steady = sum(phase[2] for phase in phases if phase[4])
    return (
        4
        / float(steady)
        * sum(
            float(pages * epochs)
            for file in profile["files"]
            for _, pages, _, epochs, *_ in file["mappings"]
            if file["path"] not in in_place
        )
    )


def row_of(name: str, image: Path, predicted: int, in_place: set[str]) -> Row:
    """Boot an image, to look at its copies and to find the smallest memory."""
    console = boot(image, MOST_KIB)
    assert LAST in console, console[-400:]
    shown = {it.path for it in shown_mappings(console) if it.in_flash}
    assert shown <= in_place
    booted = mean_copies(recorded(image), in_place)
    copies = memory(console)["MmapCopy"]
    size = image.stat().st_size
    smallest = smallest_memory(image, done(console))
    return Row(name, size, predicted / 1024, booted, copies, smallest)


def or_none(build: Callable[[], T], name: str) -> T | None:
    """The result of a build; None, and a line that says so, where it cannot be had."""
    try:
        return build()
    except BoardError as error:
        print(f"without {name}: {error}", file=sys.stderr)
        return None


def main() -> None:
    folder = Path(sys.argv[1])
    clear(folder)
    root = root_of(folder, or_none(linker, "FDPIC"), or_none(busybox, "busybox"))
    plain = folder / "plain.image"
    tinyprof("build", root, plain, "-q", "--kernel", "nommu")
    recorded(plain)
    rows: list[Row] = []
    for budget in (*BUDGETS, ""):
        name = f"planned, {budget} of flash" if budget else "all that pays in place"
        plan, image = folder / f"{budget or 'all'}.plan", folder / f"{budget or 'all'}.image"
        words: list[str | Path] = [
            "-q",
            "-p",
            plain.with_suffix(".tprof"),
            "--kernel",
            "nommu",
            "-o",
            plan,
        ]
        limit = ["--flash-budget", budget] if budget else []
        said = json.loads(tinyprof("plan", root, *words, *limit, "--json"))["prediction"]
        tinyprof("build", root, image, "-q", "--kernel", "nommu", "--plan", plan)
        if not rows:
            rows.append(row_of("nothing in place", plain, said["steady_before"], set()))
        chosen = set(json.loads(plan.read_text())["pages"])
        rows.append(row_of(name, image, said["steady"], chosen))
    print_table(rows)


def print_table(rows: list[Row]) -> None:
    print("| image | bytes | | text in RAM, predicted | booted | all copies | least RAM |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        growth = row.size / rows[0].size - 1
        print(
            f"| {row.name} | {row.size:,} | {growth:+.0%} | {row.predicted:.1f} KiB "
            f"| {row.booted:.1f} KiB | {row.copies:,} KiB | {row.smallest:,} KiB |"
        )
    for row in rows:
        assert abs(row.predicted - row.booted) <= 0.05 * rows[0].booted, row


if __name__ == "__main__":
    main()
