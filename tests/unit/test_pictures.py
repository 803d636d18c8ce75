# SPDX-License-Identifier: MIT
"""The pictures of README are those that the program draws now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PICTURES = Path(__file__).resolve().parents[2] / "docs/pictures"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, PICTURES / "make.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["live-view.svg", "trade-off.svg"])
def test_a_picture_is_not_stale(drawn: Path, name: str) -> None:
    """`python docs/pictures/make.py` draws them again: look at them, then commit them."""
    assert (drawn / name).read_text() == (PICTURES / name).read_text()
