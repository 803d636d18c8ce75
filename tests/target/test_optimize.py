# SPDX-License-Identifier: MIT
"""The whole loop in one command, on a booted board: recorded, planned, built, booted again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from target.booting import BOARD, TINYPROF, Demo

WORKLOAD = (
    "mount -t tmpfs tmpfs /tmp; for i in 1 2 3 4; do "
    "lua5.4 /usr/share/device/measure.lua $i > /tmp/sql; sleep 1; done"
)


def test_a_command_as_workload_is_recorded_planned_and_holds_its_prediction(
    demo: Demo, tmp_path: Path
) -> None:
    image = tmp_path / "lua.cramfs"
    words = ("--board", BOARD, "--workload", WORKLOAD, "--flash-budget", "400K", "--json")
    ended = subprocess.run(
        [*TINYPROF, "optimize", demo.folder / "rootfs", image, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    before, after = told["boots"]
    assert told["prediction"]["image"] == image.stat().st_size
    assert after["image_bytes"] <= before["image_bytes"] + (400 << 10)
    assert after["page_cache_kib"] < 0.7 * before["page_cache_kib"]
    assert abs(told["off_by"]) <= 0.02
    assert before["kernel"] == after["kernel"] == "mainline"


def test_a_guest_that_runs_on_is_ended_once_enough_was_recorded(
    demo: Demo, tmp_path: Path
) -> None:
    image = tmp_path / "on.cramfs"
    forever = "echo steady > /dev/tinyprof; while true; do ls /etc; sleep 1; done"
    words = ("--board", BOARD, "--workload", forever, "--steady", "3s", "--no-boot", "--json")
    before = guests()
    ended = subprocess.run(
        [*TINYPROF, "optimize", demo.folder / "rootfs", image, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["boots"] == []
    assert guests() <= before


def guests() -> set[str]:
    """The process ids of guests that run such a workload."""
    command = ["pgrep", "-f", "qemu.*steady > /dev/tinyprof"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(found.stdout.split())
