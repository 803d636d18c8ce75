# SPDX-License-Identifier: MIT
"""Boots of the reference workload: an image in, its figures out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demos.steps import BOARD, TIMEOUT, DemoError, shown


@dataclass(frozen=True, slots=True)
class Run:
    """One image on one kernel: bytes, KiB, counts, and seconds of guest time up to the workload's
    end."""

    image: str
    kernel: str
    image_bytes: int
    page_cache_kib: int
    free_kib: int
    major_faults: int
    faults: int
    guest_seconds: float


def measure(image: Path, kernel: str, version: str) -> Run:
    """Boot an image on the "stock" or the "patched" kernel, and read the report that the workload
    prints last. The console stays beside the image. Raises DemoError."""
    words: list[str | Path] = [BOARD, "run", image, "--version", version, "--icount", *TIMEOUT]
    words += ["--stock"] if kernel == "stock" else []
    console = image.with_name(f"{image.stem}-{kernel}.console")
    where = f"{image.stem} on the {kernel} kernel"
    with console.open("wb") as said:
        run = subprocess.run(
            shown(words), stdout=said, stderr=subprocess.PIPE, text=True, check=False
        )
    if run.returncode:
        raise DemoError(f"{where}: {run.stderr.strip()}; see {console}")
    facts = dict(re.findall(rb"^report (\w+) (\S+)\r?$", console.read_bytes(), re.MULTILINE))
    if facts.get(b"workload") != b"done":
        raise DemoError(f"{where}: the workload did not finish; see {console}")
    return Run(
        image.stem,
        kernel,
        image.stat().st_size,
        int(facts[b"Cached"]) - int(facts[b"Shmem"]),
        int(facts[b"Free"]),
        int(facts[b"pgmajfault"]),
        int(facts[b"pgfault"]),
        float(facts[b"uptime"]),
    )


def table(runs: Sequence[Run]) -> str:
    """The boots as Markdown."""
    lines = [
        "| image | kernel | image bytes | page cache | major faults | faults | guest time |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {run.image} | {run.kernel} | {run.image_bytes:,} | {run.page_cache_kib:,} KiB "
        f"| {run.major_faults:,} | {run.faults:,} | {run.guest_seconds:.2f} s |"
        for run in runs
    ]
    return "\n".join(lines)
