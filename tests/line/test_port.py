# SPDX-License-Identifier: MIT
"""The real agent and a port that is missing, vanishes, hangs up or babbles."""

from __future__ import annotations

import fcntl
import random
import struct
import termios
from functools import partial

import pytest

from line.kernel import Volume
from line.target import Line, Target, adds_up
from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, EpochLength, Hello, HelloPlease, Rearm, Status

SEED = 20261124
SPIN_TICKS = 25
"""A quarter of a second of processor time: far more than retries take, far less than a loop
without waits."""
TCGETS2 = 0x802C542A
TERMIOS2 = struct.Struct("=4I20s2I")
"""The kernel's struct termios2, which alone tells rates that have no name."""


def has_ended(line: Line, epochs: int) -> bool:
    return len(line.of(EpochEnd)) >= epochs


def test_an_absent_port_at_start_is_waited_for(target: Target) -> None:
    target.tracer.mount(0, Volume(1))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="50")
    target.tracer.until(lambda: target.tracer.volumes[0].recording)
    target.tracer.touch(0, *((page, Kind.EXEC) for page in range(5000)))
    line = target.plug()
    line.until(lambda: bool(line.of(EpochEnd)))
    assert isinstance(line.messages[0], Hello)
    assert line.of(EpochEnd)[0].records == (5000, 0, 0, 0)
    assert adds_up(line)


def test_a_port_that_vanishes_under_a_frame_gets_it_again_when_it_is_back(
    target: Target, line: Line
) -> None:
    print(f"seed {SEED}")
    pages = random.Random(SEED).sample(range(1 << 27), 65_536)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.touch(0, *((page, Kind.EXEC) for page in pages))
    target.tracer.appear()
    target.start()
    line.until_full()
    # The agent is stuck in a frame. Read all it has written, then take the port away.
    target.freeze()
    line.finish()
    target.unplug()
    line.hang_up()
    target.thaw()
    again = target.plug()
    again.until(lambda: len(line.records) + len(again.records) >= len(pages))
    got = [record[2] for record in line.records + again.records]
    assert got == pages
    # The frame that it was stuck in may be a status, which knows of no error yet.
    again.until(lambda: [status.write_errors for status in again.of(Status)[-1:]] == [1])


def test_a_hung_up_port_is_no_reason_to_spin(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Status)))
    # The next status, which would open the port again, is a second away.
    before = target.cpu_ticks()
    target.unplug()
    line.hang_up()
    again = target.plug()
    again.until(lambda: bool(again.messages))
    assert target.cpu_ticks() - before < SPIN_TICKS


def test_a_port_that_hangs_up_at_each_opening_is_no_reason_to_spin(
    target: Target, line: Line
) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Hello)))
    before = target.cpu_ticks()
    # Reading /dev/null is the end of the line at once; writing to it succeeds.
    target.plug_in("/dev/null")
    line.hang_up()
    asked = target.tracer.described
    target.tracer.until(lambda: target.tracer.described >= asked + 3)
    again = target.plug()
    again.until(lambda: bool(again.messages))
    assert target.cpu_ticks() - before < SPIN_TICKS


def test_noise_typed_into_the_port_hides_no_command(target: Target, line: Line) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    for wanted in range(1, 30):
        line.link.write(rng.randbytes(rng.randrange(3000)))
        line.say(Rearm())
        line.until(partial(has_ended, line, wanted))
    assert len(line.of(EpochEnd)) == len(target.tracer.ended)
    assert len(line.events) == len(line.messages)


def test_a_host_that_floods_the_port_stops_no_recording(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="10")
    target.tracer.touch(0, *((page, Kind.FILE) for page in range(20_000)))
    while len(line.of(EpochEnd)) < 10:
        line.link.write(b"login: root\r\n" * 50)
        line.take(1.0)
    assert len(line.records) == 20_000
    assert adds_up(line)


def test_the_port_becomes_a_raw_line_at_the_rate_asked_for(target: Target) -> None:
    line = target.plug(raw=False)
    target.start(TINYPROF_BAUD="57601")
    line.until(lambda: bool(line.of(Hello)))
    mode = TERMIOS2.unpack(fcntl.ioctl(line.target, TCGETS2, bytes(TERMIOS2.size)))
    iflag, oflag, cflag, lflag, *_, ispeed, ospeed = mode
    assert (iflag, oflag, lflag) == (0, 0, 0)
    assert (
        cflag & (termios.CSIZE | termios.CREAD | termios.CLOCAL)
        == termios.CS8 | termios.CREAD | termios.CLOCAL
    )
    assert (ispeed, ospeed) == (57_601, 57_601)


def test_a_rate_of_0_leaves_the_ports_own(target: Target) -> None:
    line = target.plug(raw=False)
    mode = termios.tcgetattr(line.target)
    mode[4] = mode[5] = termios.B19200
    termios.tcsetattr(line.target, termios.TCSANOW, mode)
    target.start(TINYPROF_BAUD="0")
    line.until(lambda: bool(line.of(Hello)))
    assert termios.tcgetattr(line.target)[4:6] == [termios.B19200, termios.B19200]


def test_all_commands_in_one_breath_are_obeyed(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Hello)))
    line.say(EpochLength(40), HelloPlease(), Rearm())
    line.until(lambda: len(line.of(Hello)) >= 2 and len(line.of(EpochEnd)) >= 3)
    assert line.of(Hello)[1].epoch_ms == 40


@pytest.mark.parametrize("ms", [0, 0xFFFFFFFF])
def test_an_epoch_without_end_is_ended_on_request(target: Target, line: Line, ms: int) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="3600000")
    line.say(EpochLength(ms), HelloPlease())
    line.until(lambda: any(hello.epoch_ms == ms for hello in line.of(Hello)))
    assert not target.tracer.ended
    line.say(Rearm())
    line.until(lambda: bool(line.of(EpochEnd)))
