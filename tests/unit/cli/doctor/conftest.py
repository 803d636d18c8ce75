# SPDX-License-Identifier: MIT
"""`tinyprof doctor`, run in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.doctor import Answer, Doctor
from tinyprof.cli import exit_code


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doctor:
    def ask(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["tinyprof", "doctor", "--json", *map(str, words)])
        # A test may have printed its seed.
        capfd.readouterr()
        code = exit_code()
        fields = json.loads(capfd.readouterr().out)
        assert fields["exit_code"] == code
        return Answer(code, fields["checks"])

    return ask
