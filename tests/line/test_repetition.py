# SPDX-License-Identifier: MIT
"""The real agent and a host that asks for repetition, once or too often, and then falls silent."""

from __future__ import annotations

import msgpack
import pytest
from cobs import cobs

from line.kernel import Volume
from line.target import Line, Target
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello, MessageType, RepeatPlease, Status

KEPT = 32
"""Added to the type of a frame that the target keeps."""


def kinds_of(line: Line) -> list[int]:
    """The type of each frame that arrived, repeated ones included."""
    return [
        msgpack.unpackb(cobs.decode(run)[:-4])[0] for run in line.arrived.split(b"\0")[:-1] if run
    ]


@pytest.fixture
def running(target: Target, line: Line) -> Line:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Hello)))
    return line


def test_requests_that_waited_for_the_agent_are_answered_once(
    target: Target, running: Line
) -> None:
    target.freeze()
    running.link.write(b"".join(encode_message(RepeatPlease(), seq) for seq in range(8)))
    target.thaw()
    # The first may have been made before.
    running.until(lambda: len(running.of(Status)) >= 2)
    kinds = kinds_of(running)
    assert kinds.count(MessageType.BEGIN) == 1


@pytest.mark.parametrize(("baud", "repeats"), [("115200", True), ("1200", False)])
def test_a_slow_line_is_given_time_to_carry_the_answer(
    target: Target, line: Line, baud: str, repeats: bool
) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_BAUD=baud)
    line.until(lambda: bool(line.of(Hello)))
    line.say(RepeatPlease())
    line.until(lambda: len(line.of(Status)) >= 3)
    assert (line.of(Status)[-1].repeats > 0) is repeats


def test_a_target_that_waits_for_a_host_begins_by_itself_and_keeps_every_frame(
    target: Target, line: Line
) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_WAIT="1")
    line.until(lambda: bool(line.of(Status)))
    kinds = kinds_of(line)
    assert kinds[0] == MessageType.BEGIN
    assert all(kind >= KEPT for kind in kinds[1:])
