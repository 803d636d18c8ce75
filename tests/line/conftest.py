# SPDX-License-Identifier: MIT
"""The hosted agent, built once, and a target around it for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from line.target import Line, Target

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hosted")
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), "hosted", f"O={out}"], check=True)
    return out / "hosted-agent"


@pytest.fixture
def target(program: Path, tmp_path: Path) -> Iterator[Target]:
    target = Target(program, tmp_path)
    yield target
    target.stop()


@pytest.fixture
def line(target: Target) -> Line:
    return target.plug()
