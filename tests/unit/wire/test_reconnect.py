# SPDX-License-Identifier: MIT
"""A port that is late, goes away, comes back under another number, or refuses for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyprof.wire.port import Link, LinkError, NoSuchPortError
from tinyprof.wire.reconnect import REFUSED_SECONDS, LastingLink, lasting_name


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

    def open(self, port: str, baud: int) -> Link:
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
        return LastingLink("port", 115_200, opened, **how)  # type: ignore[arg-type]


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


def test_the_same_device_is_found_under_its_new_number(tmp_path: Path) -> None:
    by_id, one, two = tmp_path / "by-id", tmp_path / "ttyACM0", tmp_path / "ttyACM1"
    by_id.mkdir()
    one.touch()
    two.touch()
    (by_id / "usb-probe").symlink_to(one)
    desk = Desk(Port(b"again"))
    link = LastingLink(
        str(one), 1, Port(), by_id=by_id, is_one_of_a_kind=lambda _: True, open_port=desk.open
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
