# SPDX-License-Identifier: MIT
"""Shared by the target tests: guest programs, the agent, and one run of the demo."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import ROOT, Demo, board

GUEST = Path(__file__).with_name("guest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.target)


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a program of tests/target/guest for the board, static, once."""
    out = tmp_path_factory.mktemp("guest")

    def build(name: str) -> Path:
        program = out / name
        if not program.exists():
            flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-static", "-D_FILE_OFFSET_BITS=64"]
            command: list[str | Path] = [
                "arm-linux-gnueabihf-gcc",
                *flags,
                "-o",
                program,
                GUEST / f"{name}.c",
            ]
            subprocess.run(command, check=True)
        return program

    return build


@pytest.fixture(scope="session")
def agent() -> Path:
    """The agent, built for the board."""
    return Path(board("agent"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The whole loop, run once for all tests that look at one of its sides, on any worker."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, printed = shared / "demo", shared / "demo.printed"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            printed.write_text(_run_demo(shared, folder))
    return Demo(folder, printed.read_text())


def _run_demo(shared: Path, folder: Path) -> str:
    program = shared / "tinyprof"
    program.write_text(f"#!{sys.executable}\nfrom tinyprof.cli import main\nmain()\n")
    program.chmod(0o755)
    command: list[str | Path] = [ROOT / "firmware/board/demo", folder, "--tinyprof", program]
    run = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    return run.stdout
