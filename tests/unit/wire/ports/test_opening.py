# SPDX-License-Identifier: MIT
"""Every error that a library raises at a port leaves the room as a LinkError."""

from __future__ import annotations

import errno
import os
import termios
from collections.abc import Iterator
from typing import Any

import pytest
import serial

from tinyprof.wire.ports.link import LinkError, NoSuchPortError
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.ports.serial_device import SerialLink, SerialSettings


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A pty that is taken for a serial device."""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    monkeypatch.setattr("os.ttyname", lambda _: "/dev/ttyUSB0")
    yield name
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (termios.error(errno.EIO, "Input/output error"), NoSuchPortError, "no such port"),
        (termios.error(errno.EINVAL, "Invalid argument"), LinkError, "at 12345 baud"),
        (OverflowError("signed integer is greater than maximum"), LinkError, "at 12345 baud"),
        (ValueError("Invalid baud rate"), LinkError, "at 12345 baud"),
        (OSError(errno.EINVAL, "Invalid argument"), LinkError, "at 12345 baud"),
        (serial.SerialException(errno.EBUSY, "busy"), LinkError, "in use"),
    ],
)
def test_every_error_of_an_opening_device_is_a_links(
    device: str,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    kind: type[LinkError],
    said: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr("tinyprof.wire.ports.serial_device._Device", fail)
    with pytest.raises(kind, match=said):
        open_link(device, SerialSettings(12345))


def test_a_baud_rate_beyond_all_devices_is_said(device: str) -> None:
    with pytest.raises(LinkError, match="99999999999 baud"):
        open_link(device, SerialSettings(99_999_999_999))


@pytest.mark.parametrize(
    "raised",
    [
        termios.error(errno.EIO, "Input/output error"),
        serial.SerialException("device reports readiness to read but returned no data"),
        OSError(errno.ENODEV, "No such device"),
        TypeError("'NoneType' object cannot be interpreted as an integer"),
    ],
)
def test_a_device_that_vanishes_while_it_is_used_ends_the_line(raised: Exception) -> None:
    class Gone:
        timeout = 0.0
        in_waiting = 0

        def read(self, size: int) -> bytes:
            raise raised

        def write(self, data: bytes) -> None:
            raise raised

    link = SerialLink(Gone(), "port")  # type: ignore[arg-type]
    assert link.read(0.1) is None
    with pytest.raises(LinkError, match="writing failed"):
        link.write(b"\0")


@pytest.mark.parametrize(
    "url",
    ["loop://?logging=x", "loop://?x", "hwgrep://(", "spy://?x", "alt://", "rfc2217://", "x://"],
)
def test_a_url_that_its_handler_does_not_understand_is_a_links_error(url: str) -> None:
    with pytest.raises(LinkError):
        open_link(url)
