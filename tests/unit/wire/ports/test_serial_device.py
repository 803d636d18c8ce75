# SPDX-License-Identifier: MIT
"""A serial device is set up as the user wants it before it is opened, and kept from others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from tinyprof.wire.ports import serial_device
from tinyprof.wire.ports.lock import PortLock
from tinyprof.wire.ports.serial_device import SerialSettings, open_serial_device

TIOCGEXCL = 0x80045440
"""linux/ioctls.h: whether a terminal is exclusive. Python does not name it."""


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, str]]:
    """A pty in a serial device's place, which takes all settings but parity: its other end and its
    name."""
    monkeypatch.setattr(serial_device, "PortLock", lambda name: PortLock(name, tmp_path))
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


@pytest.fixture
def device(pair: tuple[int, str]) -> str:
    return pair[1]


class Recorded(serial_device._Device):
    """Remembers the state of each line at the moment of opening."""

    opened: dict[str, Any]

    def open(self) -> None:
        type(self).opened = {
            name: getattr(self, name) for name in ("dtr", "rts", "parity", "rtscts", "baudrate")
        }
        super().open()

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


def opened_with(settings: SerialSettings, device: str, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(serial_device, "_Device", Recorded)
    open_serial_device(device, settings).close()
    return Recorded.opened


def test_dtr_and_rts_have_their_level_before_the_device_is_opened(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_with(SerialSettings(dtr=False, rts=False), device, monkeypatch)
    assert (opened["dtr"], opened["rts"]) == (False, False)


def test_without_a_wish_dtr_and_rts_stay_on(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opened_with(SerialSettings(), device, monkeypatch)
    assert (opened["dtr"], opened["rts"]) == (True, True)


def test_rate_parity_and_handshake_are_passed_on(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_with(SerialSettings(9600, "none", rtscts=True), device, monkeypatch)
    assert (opened["baudrate"], opened["parity"], opened["rtscts"]) == (9600, "N", True)


def test_an_open_device_is_exclusive_and_a_closed_one_is_not(device: str) -> None:
    def is_exclusive() -> bool:
        fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return bool(int.from_bytes(fcntl.ioctl(fd, TIOCGEXCL, bytes(4)), "little"))
        finally:
            os.close(fd)

    link = open_serial_device(device, SerialSettings())
    # Root opens it all the same, and may ask.
    if os.geteuid() == 0:
        assert is_exclusive()
    link.close()
    assert not is_exclusive()


def test_what_arrives_before_the_device_is_set_up_is_read(pair: tuple[int, str]) -> None:
    other_end, device = pair
    before = os.open(device, os.O_RDWR | os.O_NOCTTY)
    os.write(other_end, b"first\n")
    link = open_serial_device(device, SerialSettings())
    assert link.read(1.0) == b"first\n"
    link.close()
    os.close(before)


def test_a_device_that_cannot_be_opened_leaves_no_lock(device: str, tmp_path: Path) -> None:
    with pytest.raises(serial.SerialException):
        open_serial_device(f"{device}9999", SerialSettings())
    assert list(tmp_path.glob("LCK..*")) == []
