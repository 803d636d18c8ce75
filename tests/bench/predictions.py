# SPDX-License-Identifier: MIT
"""Eight plans on the reference board: what each predicts, and what a booted kernel reports.

Wants the folder of `make demo`. Prints a table, and fails where a prediction is off: an image's
size by a byte, its page cache by more than 2 % of that of the all-compressed image.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/board/board"
TINYPROF = [sys.executable, "-c", "from tinyprof.cli import main; main()"]
TOLERANCE = 0.02
PLANS = [
    ("patched", ["--flash-budget", "100K"]),
    ("patched", ["--flash-budget", "250K"]),
    ("patched", ["--flash-budget", "500K"]),
    ("patched", ["--save-ram", "1M"]),
    ("patched", []),
    ("mainline", ["--flash-budget", "250K"]),
    ("mainline", ["--flash-budget", "600K"]),
    ("mainline", []),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One plan: bytes of image and KiB of page cache, as predicted and as they were."""

    kernel: str
    budget: str
    image: tuple[int, int]
    page_cache: tuple[int, int]
    of_bound: float
    of_best: float


def run(*words: str | Path) -> str:
    """A command that must succeed; what it printed."""
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode not in (0, 3):
        sys.exit(f"{words}: {done.stderr}\n{done.stdout[-2000:]}")
    return done.stdout


def booted_page_cache(image: Path, kernel: str, *words: str) -> int:
    """KiB of files' pages that the workload's report names at its end."""
    stock = ["--stock"] if kernel == "mainline" else []
    said = run(BOARD, "run", image, "--icount", *stock, *words)
    facts = dict(re.findall(r"^report (\w+) (\S+)\r?$", said, re.MULTILINE))
    return int(facts["Cached"]) - int(facts["Shmem"])


def outcome(demo: Path, kernel: str, budget: list[str]) -> Outcome:
    own = f"bench-{os.getpid()}"
    plan, image = demo / f"{own}.plan", demo / f"{own}.cramfs"
    rootfs, profile = demo / "rootfs", demo / "boot.tprof"
    command: list[str | Path] = [
        *TINYPROF,
        "plan",
        rootfs,
        "-p",
        profile,
        "--kernel",
        kernel,
        *budget,
        "-o",
        plan,
        "--json",
    ]
    document = json.loads(run(*command))
    run(*TINYPROF, "build", rootfs, image, "--plan", plan, "--kernel", kernel)
    predicted = document["prediction"]
    return Outcome(
        kernel,
        " ".join(budget) or "all that pays",
        (predicted["image"], image.stat().st_size),
        (predicted["page_cache"] // 1024, booted_page_cache(image, kernel)),
        document["of_bound"],
        document["of_best"],
    )


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo")
    whole = {
        k: booted_page_cache(demo / "all-compressed.cramfs", k) for k in ("patched", "mainline")
    }
    print(
        "| kernel | budget | image predicted | built | cache predicted | booted | off by | of "
        "bound | best |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    good = True
    for kernel, budget in PLANS:
        it = outcome(demo, kernel, budget)
        off = (it.page_cache[0] - it.page_cache[1]) / whole[kernel]
        good &= it.image[0] == it.image[1] and abs(off) <= TOLERANCE
        print(
            f"| {kernel} | {it.budget} | {it.image[0]:,} | {it.image[1]:,} | "
            f"{it.page_cache[0]:,} KiB "
            f"| {it.page_cache[1]:,} KiB | {100 * off:+.1f} % "
            f"| {100 * it.of_bound:.2f} % | {100 * it.of_best:.2f} % |",
            flush=True,
        )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
