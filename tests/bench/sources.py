# SPDX-License-Identifier: MIT
"""Recording without our kernel part: its cost in guest instructions, and the prediction of a plan
that was made from a squashfs.

Wants the folder of `make demo`. The squashfs part needs mksquashfs, and compiles a kernel with
block devices the first time.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]

from target.booting import BOARD, ROOT, TINYPROF, boot, record  # noqa: E402
from target.witness import build_witness, watched  # noqa: E402

ROUNDS = (4, 16)
AGENT = "init=/sbin/tinyprof-agent"
WAYS = {
    "events-without-rearm": f"{AGENT} TINYPROF_EPOCH=0",
    "events-1s": AGENT,
    "residency": f"{AGENT} TINYPROF_SOURCE=residency",
}
SQUASHFS = ("--stock", "--arch", "armhf-squashfs")
SQUASHFS_ROOT = "root=/dev/mtdblock0 rootfstype=squashfs"


def show(name: str, value: float | str, unit: str) -> None:
    print(f"{name} {value} {unit}", flush=True)


def cost(image: Path) -> None:
    """Instructions that a round of the steady state takes, recorded in each way and not."""
    counter = build_witness(
        ROOT / "build/instructions", Path(__file__).with_name("instructions.c")
    )

    def a_round(words: str) -> float:
        few, many = (
            int(watched(counter, image, "--stock", "--append", f"{words} WORKLOAD_ROUNDS={n}"))
            for n in ROUNDS
        )
        return (many - few) / (ROUNDS[1] - ROUNDS[0])

    alone = a_round("")
    for name, words in WAYS.items():
        show(f"{name}-cost", round(a_round(words) / alone, 4), "of a round's instructions")


def page_cache(console: str) -> int:
    """KiB of page cache after the workload."""
    facts = dict(re.findall(r"^report (\w+) (\S+)\r?$", console, re.MULTILINE))
    return int(facts["Cached"]) - int(facts["Shmem"])


def from_squashfs(rootfs: Path, folder: Path) -> None:
    """Record a squashfs, plan a CramFS, build and boot it: predicted against measured KiB."""
    today = folder / "root.squashfs"
    subprocess.run(
        ["mksquashfs", rootfs, today, "-quiet", "-no-progress", "-all-root"], check=True
    )
    words = (*SQUASHFS, "--append", f"{SQUASHFS_ROOT} {AGENT}")
    recording = record(today, folder / "today.tpcap", *words, options=("--rootfs", rootfs))
    show("squashfs-page-cache", page_cache(recording.console), "KiB")
    profile, image = folder / "today.tprof", folder / "planned.cramfs"
    shipped = ["--profile", str(profile), "--kernel", "mainline", "--split-segments"]
    subprocess.run([*TINYPROF, "profile", recording.capture, "-o", profile], check=True)
    plan = subprocess.run(
        [*TINYPROF, "plan", rootfs, *shipped, "--json"], capture_output=True, text=True, check=True
    )
    subprocess.run([*TINYPROF, "build", rootfs, image, *shipped], check=True, capture_output=True)
    show(
        "planned-page-cache-predicted",
        json.loads(plan.stdout)["prediction"]["page_cache"] // 1024,
        "KiB",
    )
    show("planned-page-cache-booted", page_cache(boot(image, "--stock")), "KiB")


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo")
    assert BOARD.exists()
    if shutil.which("mksquashfs"):
        with tempfile.TemporaryDirectory() as folder:
            from_squashfs(demo / "rootfs", Path(folder))
    else:
        show("squashfs", "skipped: no mksquashfs", "")
    cost(demo / "all-compressed.cramfs")


if __name__ == "__main__":
    main()
