# SPDX-License-Identifier: MIT
"""Each warning about a line comes at the right time, and once."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.record.diagnosis import LineWatch, NoTracerError
from tinyprof.wire.frames import FrameDecoder, encode_frame, encode_message
from tinyprof.wire.messages import Hello, Rearm, Status
from tinyprof.wire.source import TouchSource

SEED = 20261124
EVENTS = TouchSource(1, 1, 12, 15, False)


class Line:
    """A watched line on which time passes as the test says."""

    def __init__(self, index: ImageIndex | None = None) -> None:
        self.watch = LineWatch("/dev/ttyACM0", 115_200, index)
        self._decoder = FrameDecoder()
        self.errors: list[Exception] = []

    def at(self, now: float, data: bytes = b"") -> list[str]:
        events = self._decoder.feed(data)
        errors = list(self.watch.take(now, data, events, self._decoder.pending))
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
def test_garbage_for_less_than_two_seconds_is_the_wrong_baud_rate(zeros: bool) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    line = Line()
    for tick in range(6):
        assert (
            line.at(5 + tick / 4, bytes(rng.randrange(0 if zeros else 1, 256) for _ in range(60)))
            == []
        )
    (said,) = line.at(6.5, b"\xfe\x81")
    assert "115200 baud" in said
    assert "--baud 921600" in said
    assert line.at(9.0, b"\xfe\x81" * 40) == []


def test_console_text_and_silence_are_no_garbage(hello: Hello) -> None:
    line = Line()
    assert [
        line.at(tick / 4, b"[    0.1] a line of the kernel\r\n" * 3) for tick in range(40)
    ] == [[]] * 40
    line.at(11, encode_message(hello, 0))
    assert line.at(20) == []


def test_the_rest_of_a_frame_that_was_joined_late_is_no_garbage(hello: Hello) -> None:
    line = Line()
    assert line.at(0, encode_message(hello, 0)[20:]) == []
    assert line.at(4) == []
    assert line.at(9) == []


def test_a_kernel_without_tracer_is_said_at_once_and_given_up_after_a_while(
    hello: Hello, index: ImageIndex
) -> None:
    line = Line(index)
    none = replace(hello, tracer=0, volumes=())
    (said,) = line.at(0, encode_message(none, 0))
    assert "has no tracer" in said
    assert line.at(2, encode_message(none, 1)) == []
    assert not line.watch.tracerless(2)
    assert line.watch.tracerless(6)
    assert isinstance(line.watch.fault, NoTracerError)
    assert "CONFIG_CRAMFS_TINYPROF=y" in str(line.watch.fault)
    assert "cramfs.tinyprof=1" in str(line.watch.fault)
    assert line.at(7, encode_message(hello, 2)) == []
    assert not line.watch.tracerless(20)
    assert line.watch.fault is None


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
    assert line.watch.fault is line.errors[0]
    assert str(index.fsid) in said
    assert str(other.fsid) in said


def test_an_image_is_compared_once_a_series_of_hellos_is_over(
    hello: Hello, index: ImageIndex
) -> None:
    (ours,) = hello.volumes
    other = replace(ours, index=1, fsid=replace(ours.fsid, edition=7))
    two = replace(hello, volumes=(other, replace(other, index=2)))
    line = Line(index)
    assert line.at(0, encode_message(two, 0)) == []
    assert (
        len(line.at(0.1, encode_message(Rearm(), 1) + encode_message(Status(0, 0, 0, 0), 2))) == 1
    )
    # Mounted later.
    assert line.at(9, encode_message(hello, 3)) == []
    assert line.watch.fault is None


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({}, False),
        ({"boot_id": b"2nd boot"}, False),
        ({"boot_id": b"2nd boot", "kernel": "5.10.1"}, True),
        ({"boot_id": b"2nd boot", "arch": "riscv64"}, True),
    ],
)
def test_another_target_after_a_reconnect_is_said(
    hello: Hello, change: dict[str, object], is_another: bool
) -> None:
    line = Line()
    line.at(0, encode_message(hello, 0))
    line.watch.reconnected()
    said = line.at(9, encode_message(replace(hello, **change), 0))  # type: ignore[arg-type]
    assert len(said) == is_another
    assert all("another target answers on /dev/ttyACM0" in text for text in said)


def test_another_image_after_a_reconnect_is_another_target(hello: Hello) -> None:
    line = Line()
    line.at(0, encode_message(hello, 0))
    line.watch.reconnected()
    (volume,) = hello.volumes
    other = replace(volume, fsid=replace(volume.fsid, crc=1))
    (said,) = line.at(9, encode_message(replace(hello, boot_id=b"other!!!", volumes=(other,)), 0))
    assert str(other.fsid) in said
    assert str(volume.fsid) in said


@pytest.mark.parametrize("tracer", [0, 1])
def test_a_target_whose_stock_kernel_is_the_source_has_a_tracer(hello: Hello, tracer: int) -> None:
    line = Line()
    stock = replace(hello, tracer=tracer, source=TouchSource(2, 0, 12, 0, False))
    (said,) = line.at(1, encode_message(stock, 0))
    assert "recorded by residency checks" in said
    assert "kinds are not told" in said
    assert line.at(12, encode_message(stock, 1)) == []
    assert not line.watch.tracerless(12)
    (changed,) = line.at(13, encode_message(replace(stock, source=EVENTS), 2))
    assert changed == "recorded by page-fault events"
