# SPDX-License-Identifier: MIT
"""What is said about a line while it is recorded, when, and how often."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tinyprof.image_index import ImageIndex, WrongImageError
from tinyprof.watch import LineWatch, NoTracerError
from tinyprof.wire import FrameDecoder, Hello, encode_frame, encode_message

SEED = 20261124


class Line:
    """A watched line on which time passes as the test says."""

    def __init__(self, index: ImageIndex | None = None) -> None:
        self._watch = LineWatch("/dev/ttyACM0", 115_200, index)
        self._decoder = FrameDecoder()
        self.errors: list[Exception] = []

    def at(self, now: float, data: bytes = b"") -> list[str]:
        events = self._decoder.feed(data)
        errors = list(self._watch.take(now, data, events, self._decoder.pending))
        self.errors += errors
        return [str(error) for error in errors]


def test_silence_is_said_once_with_what_to_check() -> None:
    line = Line()
    assert line.at(2.9) == []
    (said,) = line.at(3.1)
    assert "nothing has arrived from /dev/ttyACM0" in said
    assert "init=/sbin/tinyprof-agent" in said
    assert line.at(30) == []


@pytest.mark.parametrize("zeros", [True, False])
def test_two_seconds_of_garbage_are_the_wrong_baud_rate(zeros: bool) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    line = Line()
    for tick in range(8):
        assert line.at(5 + tick / 4, bytes(rng.randrange(0 if zeros else 1, 256) for _ in range(60))) == []
    (said,) = line.at(7.0, b"\xfe\x81")
    assert "115200 baud" in said
    assert "--baud 921600" in said
    assert line.at(9.0, b"\xfe\x81" * 40) == []


def test_console_text_and_silence_are_no_garbage(hello: Hello) -> None:
    line = Line()
    assert [line.at(tick / 4, b"[    0.1] a line of the kernel\r\n" * 3) for tick in range(40)] == [[]] * 40
    line.at(11, encode_message(hello, 0))
    assert line.at(20) == []


def test_the_rest_of_a_frame_that_was_joined_late_is_no_garbage(hello: Hello) -> None:
    line = Line()
    assert line.at(0, encode_message(hello, 0)[20:]) == []
    assert line.at(4) == []
    assert line.at(9) == []


def test_a_kernel_without_tracer_is_said_with_what_to_enable(hello: Hello, index: ImageIndex) -> None:
    line = Line(index)
    (said,) = line.at(0, encode_message(replace(hello, tracer=0, volumes=()), 0))
    assert isinstance(line.errors[0], NoTracerError)
    assert "CONFIG_CRAMFS_TINYPROF=y" in said
    assert "cramfs.tinyprof=1" in said


def test_a_protocol_of_later_times_is_said_once(hello: Hello) -> None:
    line = Line()
    later = replace(hello, protocol=2)
    (said,) = line.at(0, encode_message(later, 0))
    assert "protocol 2" in said
    assert line.at(1, encode_message(later, 1)) == []


def test_a_hello_that_only_its_own_protocol_can_read_is_said() -> None:
    (said,) = Line().at(0, encode_frame(b"\x94\x01\x00\x07\xa3new"))
    assert "protocol 7" in said


def test_an_unknown_message_is_said_once_a_type() -> None:
    line = Line()
    (said,) = line.at(0, encode_frame(b"\x93\x63\x00\x01"))
    assert "type 99" in said
    assert line.at(1, encode_frame(b"\x93\x63\x01\x01")) == []


def test_another_image_is_said_at_once_naming_both(hello: Hello, index: ImageIndex) -> None:
    other = replace(index, fsid=replace(index.fsid, edition=7))
    line = Line(other)
    (said,) = line.at(0, encode_message(hello, 0))
    assert isinstance(line.errors[0], WrongImageError)
    assert str(index.fsid) in said
    assert str(other.fsid) in said
