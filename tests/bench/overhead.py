# SPDX-License-Identifier: MIT
"""The cost of recording at epochs of 1 s, for the reference workload's steady state, in guest
instructions.

Two boots that differ by rounds of the steady state alone say what a round takes, once without and
once with a recording; QEMU counts the instructions. Wants the folder of `make demo`.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]

from target.booting import RECORD_FROM_THE_START, ROOT  # noqa: E402
from target.witness import build_witness, watched  # noqa: E402

ROUNDS = (4, 16)
LIMIT = 0.05


def main() -> None:
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo")
    counter = build_witness(
        ROOT / "build/instructions", Path(__file__).with_name("instructions.c")
    )
    per_round = []
    for recording in ("", f"{RECORD_FROM_THE_START} TINYPROF_EPOCH=1000"):
        few, many = (
            int(
                watched(
                    counter,
                    demo / "all-compressed.cramfs",
                    "--append",
                    f"{recording} WORKLOAD_ROUNDS={n}",
                )
            )
            for n in ROUNDS
        )
        per_round.append((many - few) / (ROUNDS[1] - ROUNDS[0]))
    share = per_round[1] / per_round[0] - 1
    print(f"round {per_round[0]:.0f} instructions")
    print(f"round-recorded {per_round[1]:.0f} instructions")
    print(f"recording-overhead {100 * share:.2f} %")
    sys.exit(0 if share <= LIMIT else 1)


if __name__ == "__main__":
    main()
