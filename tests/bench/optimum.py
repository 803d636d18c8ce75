# SPDX-License-Identifier: MIT
"""Compares the choice for the reference profile with the optimum, found in another way: byte by
byte.

For each kernel and budget the most that any choice of its offers is worth is found by a dynamic
programme over every number of bytes up to the budget. Wants the folder of `make demo`. Prints a
table, and fails where something better was found than what was chosen.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.predictions import ROOT  # noqa: E402
from tinyprof.cli.opening import open_profile  # noqa: E402
from tinyprof.cramfs.tree import Tree  # noqa: E402
from tinyprof.cramfs.writing.compressor import choose_compressor  # noqa: E402
from tinyprof.cramfs.writing.packer import compressed_size_of  # noqa: E402
from tinyprof.plan.offers import MODELS, Offered, offered_by, split_segment_offers  # noqa: E402
from tinyprof.plan.selection import Target, select  # noqa: E402
from tinyprof.plan.value import candidates_in  # noqa: E402
from tinyprof.rootfs.match import match  # noqa: E402
from tinyprof.segments.split_tree import Prices  # noqa: E402

LEVEL = 6
BUDGETS_KIB = (50, 100, 175, 250)


def most_by_bytes(offered: Offered, most: int) -> list[int]:
    """The most that offers are worth together for each number of bytes up to `most`."""
    best = [0] * (most + 1)
    for _, offers in offered:
        before = list(best)
        for offer in offers:
            if offer.cost <= most:
                with_it = [value + offer.value for value in before[: most + 1 - offer.cost]]
                best[offer.cost :] = map(max, best[offer.cost :], with_it)
    return best


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo")
    tree = Tree.from_directory(demo / "rootfs")
    found = match(open_profile([demo / "boot.tprof"]), tree)
    files = candidates_in(found, compressed_size_of(choose_compressor(LEVEL, False), None))
    print("| kernel | budget | best by bytes | chosen | of bound | proved |")
    print("|---|---:|---:|---:|---:|---|")
    good = True
    for name, model in {
        **MODELS,
        "split segments": split_segment_offers(Prices().mapping),
    }.items():
        offered = offered_by(files, model)
        best = most_by_bytes(offered, BUDGETS_KIB[-1] << 10)
        for budget in BUDGETS_KIB:
            it = select(offered, Target(flash=budget << 10))
            good &= it.value == best[budget << 10] and it.of_best == 1
            print(
                f"| {name} | {budget} KiB | {best[budget << 10]:,} | {it.value:,} "
                f"| {100 * it.of_bound:.2f} % | {'yes' if it.of_best == 1 else 'no'} |",
                flush=True,
            )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
