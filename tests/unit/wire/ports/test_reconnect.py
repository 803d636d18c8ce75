# SPDX-License-Identifier: MIT
"""A port may be late, go away, come back under another number, or refuse for a moment."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from tinyprof.wire.ports.link import Link, LinkError, NoSuchPortError
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.ports.reconnect import (
    REFUSED_SECONDS,
    LastingLink,
    has_unique_serial,
    lasting_name,
)
from tinyprof.wire.ports.serial_device import SerialSettings


class Port:
    """A port that reads as written down, then is gone."""

    writable = True
    gaps = 0
    away = False
    overruns = 0

    def __init__(self, *reads: bytes) -> None:
        self._reads = list(reads)
        self.sent = b""
        self.closed = False

    def read(self, timeout: float) -> bytes | None:
        return self._reads.pop(0) if self._reads else None

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True


class Desk:
    """Where ports are plugged in: what `open_port` does, time after time. A sleep is a second."""

    def __init__(self, *outcomes: Port | LinkError) -> None:
        self._outcomes = list(outcomes)
        self.opened: list[str] = []
        self.now = 0.0

    def open(self, port: str, settings: SerialSettings) -> Link:
        self.opened.append(port)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, LinkError):
            raise outcome
        return outcome

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1

    def link(self, by_id: Path, opened: Port | None = None) -> LastingLink:
        how = {"by_id": by_id, "open_port": self.open, "clock": self.clock, "sleep": self.sleep}
        return LastingLink("port", SerialSettings(), opened, **how)  # type: ignore[arg-type]


def test_a_port_is_waited_for(tmp_path: Path) -> None:
    link = Desk(NoSuchPortError("none"), NoSuchPortError("none"), Port(b"here")).link(tmp_path)
    assert link.away
    assert [link.read(1.0) for _ in range(3)] == [b"", b"", b"here"]
    assert (link.away, link.gaps) == (False, 0)


def test_a_port_that_goes_away_is_opened_again(tmp_path: Path) -> None:
    first = Port(b"one")
    link = Desk(NoSuchPortError("none"), Port(b"two")).link(tmp_path, first)
    assert [link.read(1.0) for _ in range(4)] == [b"one", b"", b"", b"two"]
    assert (first.closed, link.gaps) == (True, 1)
    link.write(b"still there")


def read_all(link: LastingLink) -> bytes:
    """What a line says until it ends."""
    said = b""
    while (data := link.read(1.0)) is not None:
        said += data
    return said


def test_a_file_is_read_once_whether_it_was_there_or_was_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "line"
    waited = LastingLink(str(path), SerialSettings(), sleep=lambda seconds: None)
    assert waited.read(0.0) == b""
    path.write_bytes(b"all of it")
    there = LastingLink(str(path), SerialSettings(), open_link(str(path)))
    for link in (waited, there):
        with contextlib.closing(link):
            assert read_all(link) == b"all of it"
            assert (link.gaps, link.away) == (0, False)


def test_a_pty_ends_with_its_name_and_a_link_to_it_may_lead_to_another(tmp_path: Path) -> None:
    for by_name in (True, False):
        master, slave = os.openpty()
        name, port = os.ttyname(slave), tmp_path / "port"
        port.symlink_to(name)
        port = Path(name) if by_name else port
        os.close(slave)
        link = LastingLink(str(port), SerialSettings(), open_link(str(port)))
        with contextlib.closing(link):
            os.close(master)
            assert link.read(1.0) == (None if by_name else b"")
            assert link.away is not by_name
        (tmp_path / "port").unlink()


def test_bytes_that_the_host_lost_stay_counted_when_the_port_goes_away(tmp_path: Path) -> None:
    first, second = Port(b"one"), Port(b"two")
    first.overruns, second.overruns = 7, 2
    link = Desk(second).link(tmp_path, first)
    assert (link.read(1.0), link.overruns) == (b"one", 7)
    # A port that is gone can no longer be asked.
    first.overruns = 0
    assert (link.read(1.0), link.overruns) == (b"", 7)
    assert (link.read(1.0), link.overruns) == (b"two", 9)


def test_the_same_device_is_found_under_its_new_number(tmp_path: Path) -> None:
    by_id, one, two = tmp_path / "by-id", tmp_path / "ttyACM0", tmp_path / "ttyACM1"
    by_id.mkdir()
    one.touch()
    two.touch()
    (by_id / "usb-probe").symlink_to(one)
    desk = Desk(Port(b"again"))
    link = LastingLink(
        str(one),
        SerialSettings(),
        Port(),
        by_id=by_id,
        is_one_of_a_kind=lambda _: True,
        open_port=desk.open,
    )
    (by_id / "usb-probe").unlink()
    (by_id / "usb-probe").symlink_to(two)
    assert [link.read(0), link.read(0)] == [b"", b"again"]
    assert desk.opened == [str(by_id / "usb-probe")]


def test_a_device_without_a_lasting_name_keeps_its_own(tmp_path: Path) -> None:
    assert lasting_name("/dev/ttyS0", tmp_path / "none") == "/dev/ttyS0"


def test_a_port_may_refuse_for_a_moment_and_not_for_long(tmp_path: Path) -> None:
    refusals = [LinkError("permission denied")] * 20
    link = Desk(*refusals[:3], Port(b"now")).link(tmp_path)
    assert [link.read(1.0) for _ in range(4)] == [b"", b"", b"", b"now"]
    desk = Desk(*refusals)
    link = desk.link(tmp_path)
    with pytest.raises(LinkError, match="permission denied"):
        list(iter(lambda: link.read(1.0), None))
    assert desk.now >= REFUSED_SECONDS


def adapter(device: str, serial: str | None, location: str) -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid, port.pid, port.serial_number, port.location = 0x1A86, 0x7523, serial, location
    return port


@pytest.mark.parametrize(
    ("serials", "unique"),
    [(("a", "b"), True), ((None, None), False), (("", "x"), False), (("1", "1"), False)],
)
def test_only_a_serial_number_of_its_own_tells_an_adapter_from_others(
    serials: tuple[str | None, str | None], unique: bool
) -> None:
    ports = [
        adapter("/dev/ttyUSB0", serials[0], "1-1"),
        adapter("/dev/ttyUSB1", serials[1], "1-2"),
    ]
    assert has_unique_serial("/dev/ttyUSB0", ports) is unique


def test_the_ports_of_one_adapter_share_its_serial_number() -> None:
    ports = [adapter(f"/dev/ttyUSB{n}", "a", f"1-1:1.{n}") for n in range(4)]
    assert has_unique_serial("/dev/ttyUSB2", ports)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    for folder in ("by-id", "by-path"):
        (tmp_path / folder).mkdir()
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id" / "usb-adapter").symlink_to(tmp_path / "ttyUSB0")
    (tmp_path / "by-path" / "usb-1-1").symlink_to(tmp_path / "ttyUSB0")
    (tmp_path / "bench").symlink_to(tmp_path / "ttyUSB0")
    (tmp_path / "ttyBENCH1").symlink_to(tmp_path / "ttyUSB0")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "one_of_a_kind", "kept"),
    [
        ("ttyUSB0", True, "by-id/usb-adapter"),
        ("ttyUSB0", False, "by-path/usb-1-1"),
        ("by-path/usb-1-1", True, "by-path/usb-1-1"),
        ("by-id/usb-adapter", False, "by-id/usb-adapter"),
        ("bench", True, "bench"),
        ("ttyBENCH1", True, "ttyBENCH1"),
    ],
)
def test_a_name_of_the_users_own_stays_and_a_kernels_name_becomes_a_unique_one(
    devices: Path, given: str, one_of_a_kind: bool, kept: str
) -> None:
    name = lasting_name(
        str(devices / given), devices / "by-id", devices / "by-path", lambda _: one_of_a_kind
    )
    assert name == str(devices / kept)
