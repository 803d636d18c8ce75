# SPDX-License-Identifier: MIT
"""The checklist of a line without an agent says what works, and tries the likeliest first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyprof.live.checklist import NO_TARGET, TEXT_ONLY, LineState, checklist, checks, tries

PORT = "/dev/ttyACM0"


def test_a_silent_port_names_the_port_its_rate_and_what_arrived() -> None:
    lines = checklist(LineState(PORT, 115_200, seconds=12.3))
    assert lines[0] == NO_TARGET
    assert lines[1] == " [x] /dev/ttyACM0 is open at 115200 baud"
    assert lines[2] == " [ ] bytes from the target: none in 12 s"
    assert all(len(line) <= 78 for line in lines)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        (LineState(PORT, 115_200), "cable"),
        (LineState(PORT, 115_200, received=400), "rate"),
        (LineState("unix:x", 0, received=400), "cable"),
        (LineState(PORT, 115_200, received=400, text=390), "agent"),
        (LineState(PORT, 115_200, away=True), "cable"),
    ],
)
def test_the_likeliest_cause_is_tried_first(line: LineState, first: str) -> None:
    assert tries(line)[0].startswith(first)


def test_text_without_an_agent_is_said_so() -> None:
    line = LineState(PORT, 115_200, received=400, text=390)
    assert checklist(line)[0] == TEXT_ONLY
    assert [it.is_so for it in checks(line)] == [True, True, False]
    assert "bytes from the target: 400 in 0 s, 390 of them text" in checks(line)[1].words


def test_the_agent_says_hello_as_often_as_the_list_says() -> None:
    agent = (Path(__file__).parents[3] / "agent/agent.c").read_text()
    assert re.search(r"#define HELLO_MS\s+10000\b", agent)
    assert checks(LineState(PORT))[2].words.endswith("one is due every ten seconds")


def test_a_port_that_is_away_is_no_open_port() -> None:
    assert not checks(LineState(PORT, 115_200, away=True))[0].is_so


def test_a_hostile_port_name_is_harmless() -> None:
    assert "\x1b" not in "".join(checklist(LineState("\x1b[2J")))
