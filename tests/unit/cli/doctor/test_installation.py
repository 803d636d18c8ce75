# SPDX-License-Identifier: MIT
"""`tinyprof doctor` without an argument: this machine, and machines that lack something."""

from __future__ import annotations

import subprocess

import pytest
from serial.tools.list_ports_common import ListPortInfo

from support.commands import PYTHON
from support.doctor import Doctor
from tinyprof.cli.doctor.installation import installation_checks
from tinyprof.cli.doctor.verdict import Check, State


def by_step(checks: list[Check]) -> dict[str, Check]:
    return {check.step: check for check in checks}


def test_this_machine_can_run_the_tests(doctor: Doctor) -> None:
    answer = doctor()
    assert answer.states("Python") == ["ok"]
    assert answer.states("packages") == ["ok"]


@pytest.mark.parametrize("missing", ["textual", "serial", "deflate"])
def test_a_missing_package_is_named_with_its_use(missing: str) -> None:
    found = by_step(list(installation_checks([], lambda name: name != missing)))["packages"]
    assert found.state is State.LOOK
    assert "pip install" in found.todo[0]
    assert missing in found.text


def test_an_old_python_is_broken() -> None:
    found = by_step(list(installation_checks([], lambda name: True, (3, 10, 2))))["Python"]
    assert found.state is State.BROKEN


def test_zstd_is_optional() -> None:
    found = by_step(list(installation_checks([], lambda name: "zstd" not in name)))["zstd"]
    assert found.state is State.NOTE


def test_ports_are_listed_with_what_they_are() -> None:
    port = ListPortInfo("/dev/null")
    port.description = "A port"
    found = by_step(list(installation_checks([port])))["ports"]
    assert found.text == "/dev/null (A port)"


def test_text_has_a_line_a_check_and_a_summary_on_stderr() -> None:
    command = [*PYTHON, "doctor", "/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "/nowhere\n[no] input: No such file or directory\n"
    assert done.stderr == "1 check: 1 broken, 0 to look at\n"
