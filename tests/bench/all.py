# SPDX-License-Identifier: MIT
"""`make bench`: every figure that this project is held to, one line each, `name value unit`.

Sizes and counts are absolute. Times are ratios to a peer in the same run, on the same tree. What
was made for it stays in build/bench.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/board/board"
TINYPROF = Path(sys.executable).with_name("tinyprof")
FOLDER = ROOT / "build/bench"


def run(*words: str | Path) -> str:
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def show(name: str, value: float | str, unit: str) -> None:
    print(f"{name} {value} {unit}", flush=True)


def boot(rootfs: Path) -> None:
    """The reference boot over the wire: what a record costs, everything included."""
    image, capture = FOLDER / "plain.cramfs", FOLDER / "boot.tpcap"
    run(TINYPROF, "build", rootfs, image)
    capture.unlink(missing_ok=True)
    line = ["--serial", "pty", "--baud", "115200"]
    words = [*line, "--icount", "--append", "init=/sbin/tinyprof-agent cramfs.tinyprof=1"]
    with subprocess.Popen(
        [BOARD, "run", image, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as board:
        assert board.stderr
        port = next(line.split()[-1] for line in board.stderr if "line is" in line)
        recording = json.loads(
            run(TINYPROF, "record", port, "-o", capture, "--image", image, "--json")
        )
    show("boot-records", recording["records"], "records")
    show("boot-lost", sum(recording["lost"].values()), "losses")
    show("boot-wire", round(recording["bytes_per_record"], 3), "bytes/record")


def fuzz() -> None:
    """Lines, messages and captures, mutated, and the agent's commands: the tests' share many times
    over."""
    inputs = 2_000_000
    for name, count, each, test in (
        ("fuzzed", inputs, -(-inputs // 3), "tests/unit/test_fuzz.py"),
        (
            "fuzzed-commands",
            inputs,
            inputs,
            "tests/agent/test_wire_vectors.py::test_fuzzed_lines_are_judged_as_the_format_says",
        ),
        (
            "fuzzed-events",
            1_000_000,
            1_000_000,
            "tests/agent/test_watch.py::test_mutated_records_harm_nothing",
        ),
        # 600,000 images, a third as many device tables and as many packs of the block cache.
        ("fuzzed-images", 1_000_000, 600_000, "tests/unit/cramfs/test_fuzz.py"),
        # 200,000 profiles and as many plans; 200,000 ELF files.
        ("fuzzed-texts", 400_000, 200_000, "tests/unit/profile/test_mutated.py"),
        ("fuzzed-elf", 200_000, 200_000, "tests/unit/segments/test_mutated.py"),
    ):
        words = [sys.executable, "-m", "pytest", "-q", "--timeout", "0", str(ROOT / test)]
        environment = os.environ | {"TINYPROF_FUZZ": str(each)}
        subprocess.run(words, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
        show(name, count, "inputs")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rootfs = FOLDER / "rootfs"
    shutil.rmtree(rootfs, ignore_errors=True)
    run(BOARD, "rootfs", rootfs)
    boot(rootfs)
    demo = FOLDER / "demo"
    run(ROOT / "firmware/board/demo", demo, "--tinyprof", TINYPROF)
    scripts: list[tuple[str, list[str | Path]]] = [
        ("sizes.py", [FOLDER / "sizes"]),
        ("decoder.py", []),
        ("recording.py", []),
        ("tui.py", []),
        ("view.py", []),
        ("report_page.py", []),
        ("link.py", [FOLDER / "plain.cramfs"]),
        ("images.py", [rootfs]),
        ("planning.py", []),
        ("ordering.py", []),
        ("optimum.py", [demo]),
        ("predictions.py", [demo]),
        ("against_axfs.py", [demo]),
        ("overhead.py", [demo]),
        ("sources.py", [demo]),
        ("carry_over.py", [demo]),
    ]
    for script, words in scripts:
        subprocess.run([sys.executable, Path(__file__).with_name(script), *words], check=True)
    fuzz()


if __name__ == "__main__":
    main()
