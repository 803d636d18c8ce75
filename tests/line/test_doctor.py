# SPDX-License-Identifier: MIT
"""`tinyprof doctor` and the real agent: it asks once, and changes nothing."""

from __future__ import annotations

from line.kernel import PATIENCE, Volume
from line.target import Line, Target
from tinyprof.cli.doctor.line import LineRecord, line_checks
from tinyprof.cli.doctor.port import listen
from tinyprof.cli.doctor.verdict import State
from tinyprof.wire.messages import Hello


def test_an_agent_that_has_said_its_hello_says_it_again_when_asked(
    target: Target, line: Line
) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="1000")
    line.until(lambda: bool(line.of(Hello)))
    record = LineRecord(line.path, 115_200)
    listen(line.link, record, PATIENCE, one_way=False)
    checks = {check.step: check for check in line_checks(record, 1.0)}
    assert record.hello
    assert record.hello.window
    assert {name: check.state for name, check in checks.items()} == dict.fromkeys(
        ("line", "agent", "tracer", "volumes"), State.OK
    )
