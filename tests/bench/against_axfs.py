# SPDX-License-Identifier: MIT
"""A plan against AXFS's rule at the same flash: page cache of the steady state, start-up's being
dropped.

AXFS takes pages in the order of their fault counts. The same recording serves both; its count of a
page is the number of epochs that saw it mapped, as `tinyprof export` writes it for mkfs.axfs. The
budget is a quarter of what all hot pages cost. Wants the folder of `make demo`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.predictions import ROOT, TINYPROF, booted_page_cache, run  # noqa: E402

SHARE = 4


def growth(plan: dict[str, list[int]], demo: Path, image: Path) -> int:
    """Build a plan's image; by how much it is larger than the one without pages in place."""
    text = demo / "bench.plan"
    text.write_text(json.dumps({"format": 1, "pages": plan}))
    run(*TINYPROF, "build", demo / "rootfs", image, "--plan", text)
    return image.stat().st_size - (demo / "all-compressed.cramfs").stat().st_size


def by_fault_count(demo: Path, image: Path, budget: int) -> int:
    """The pages of AXFS's list that fit, found by halving, and the growth."""
    lines = run(*TINYPROF, "export", demo / "boot.tprof", "--format", "axfs-csv").splitlines()
    pages = [
        (path[1:], int(offset) // 4096)
        for path, offset, _ in (line.rsplit(",", 2) for line in lines)
    ]
    low, high = 0, len(pages)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high)
            if growth(_plan(pages[:middle]), demo, image) <= budget
            else (low, middle)
        )
    return growth(_plan(pages[:low]), demo, image)


def _plan(pages: list[tuple[str, int]]) -> dict[str, list[int]]:
    plan: dict[str, list[int]] = {}
    for path, page in pages:
        plan.setdefault(path, []).append(page)
    return plan


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo")
    image = demo / "bench.cramfs"
    everything = json.loads(
        run(*TINYPROF, "plan", demo / "rootfs", "-p", demo / "boot.tprof", "--json")
    )
    budget = sum(file["cost"] for file in everything["files"]) // SHARE
    dropped = ("--append", "WORKLOAD_DROP=1")
    none = booted_page_cache(demo / "all-compressed.cramfs", "patched", *dropped)
    print(f"budget {budget} bytes; all compressed: {none} KiB")
    spent = by_fault_count(demo, image, budget)
    axfs = booted_page_cache(image, "patched", *dropped)
    print(f"by fault count: {spent} bytes of flash, {axfs} KiB", flush=True)
    words: list[str | Path] = [
        "plan",
        demo / "rootfs",
        "-p",
        demo / "boot.tprof",
        "--flash-budget",
        str(spent),
        "--json",
    ]
    plan = json.loads(run(*TINYPROF, *words))
    ours_spent = growth(plan["pages"], demo, image)
    ours = booted_page_cache(image, "patched", *dropped)
    print(
        f"by plan: {ours_spent} bytes of flash, {ours} KiB: {100 * (1 - ours / axfs):.1f} % lower"
    )
    sys.exit(0 if ours < axfs and ours_spent <= spent else 1)


if __name__ == "__main__":
    main()
