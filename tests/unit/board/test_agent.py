# SPDX-License-Identifier: MIT
"""The agent in the board's cache: a change of any file that it is made with makes another."""

from __future__ import annotations

import subprocess

import pytest

from qemu_board.agent import ABI, AGENT, ingredients
from qemu_board.architecture import ARMHF, ARMV7M, Architecture


@pytest.mark.parametrize(
    ("machine", "target"), [(ARMHF, "tinyprof-agent"), (ARMV7M, "tinyprof-agent-nommu")]
)
def test_all_that_make_would_build_it_anew_for_is_in_the_key(
    machine: Architecture, target: str
) -> None:
    command = ["make", "-C", str(AGENT), "-npq", "O=none", "target", "nommu"]
    database = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    (names,) = (
        line.partition(":")[2].split()
        for line in database.splitlines()
        if line.startswith(f"none/{target}:") and ":=" not in line
    )
    wanted = {(AGENT / name).resolve() for name in names}
    assert AGENT / "main.c" in wanted
    assert wanted <= {*ingredients(machine), ABI}
