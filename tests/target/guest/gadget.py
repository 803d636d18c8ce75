# SPDX-License-Identifier: MIT
"""Runs in the guest whose USB gadget meets its host in the same kernel: the agent writes to
/dev/ttyGS0, and `tinyprof record` reads /dev/ttyACM0 while the cable is pulled again and again.

Prints one line "result JSON" on the console, for test_gadget.py.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import multiprocessing
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before any fork: importing it takes ten seconds here.
import tinyprof.cli.commands.record

REPLUGS, EPOCHS = (int(os.environ[name]) for name in ("REPLUGS", "EPOCHS"))
GADGET = Path("/sys/kernel/config/usb_gadget/board")
UDC = "dummy_udc.0"
SERIAL_FOLDER = Path("/dev/serial")
BY_ID = SERIAL_FOLDER / "by-id/usb-tinyprof_board_0001-if00"
BY_PATH = SERIAL_FOLDER / "by-path/platform-dummy_hcd.0-usb-0:1:1.0"
FORK = multiprocessing.get_context("fork")
NOBODY = 65534
TTY_GROUP = 20
GROWTH = 4096
"""Bytes by which a capture has to grow between two pulls of the cable."""
LOOK_SECONDS = 0.02
WAIT_SECONDS = 120.0


def write(name: str, text: str) -> None:
    path = GADGET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_gadget() -> None:
    write("idVendor", "0x1d6b")
    write("idProduct", "0x0104")
    write("strings/0x409/serialnumber", "0001")
    write("strings/0x409/manufacturer", "tinyprof")
    write("strings/0x409/product", "board")
    (GADGET / "configs/c.1").mkdir(parents=True)
    (GADGET / "functions/acm.0").mkdir(parents=True)
    (GADGET / "configs/c.1/acm.0").symlink_to(GADGET / "functions/acm.0")


def ports() -> list[Path]:
    return sorted(path for path in Path("/dev").iterdir() if path.name.startswith("ttyACM"))


def await_until(true: Any, what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(LOOK_SECONDS)


class Names(threading.Thread):
    """In udev's place: gives a port that appears its lasting names and its rights."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        BY_ID.parent.mkdir(parents=True)
        BY_PATH.parent.mkdir(parents=True)

    def run(self) -> None:
        named = ""
        while True:
            there = [port.name for port in ports()]
            if there and there[-1] != named:
                named = there[-1]
                self.seen.add(named)
                with contextlib.suppress(FileNotFoundError):
                    os.chown(f"/dev/{named}", 0, TTY_GROUP)
                    Path("/dev", named).chmod(0o660)
                for link in (BY_ID, BY_PATH):
                    link.unlink(missing_ok=True)
                    link.symlink_to(f"/dev/{named}")
            elif not there and named:
                named = ""
                BY_ID.unlink(missing_ok=True)
                BY_PATH.unlink(missing_ok=True)
            time.sleep(LOOK_SECONDS)


def plug() -> None:
    (GADGET / "UDC").write_text(UDC)
    await_until(BY_ID.exists, "no port after plugging in")


def unplug() -> None:
    (GADGET / "UDC").write_text("\n")
    await_until(lambda: not BY_ID.is_symlink(), "the port stays")


class Child:
    """A fork of this process, with the rights of a user of a group if there is one."""

    def __init__(self, work: Callable[[], None], group: int | None = None) -> None:
        self._said = Path(f"/run/said-{time.monotonic_ns()}")
        self._said.touch()
        self._process = FORK.Process(target=self._be, args=(work, group), daemon=True)
        self._process.start()

    def _be(self, work: Callable[[], None], group: int | None) -> None:
        sys.stderr = self._said.open("w", buffering=1)
        os.dup2(sys.stderr.fileno(), 2)
        if group is not None:
            os.setgroups([])
            os.setgid(group)
            os.setuid(NOBODY)
        work()

    @property
    def ended(self) -> bool:
        return not self._process.is_alive()

    def result(self) -> tuple[str, int | None]:
        """The words on stderr and the exit code, once it has ended."""
        self._process.join()
        return self._said.read_text(), self._process.exitcode


def record(port: str, capture: Path, *options: str, group: int | None = None) -> Child:
    def run() -> None:
        sys.argv = ["tinyprof", "record", port, "-o", str(capture), *options]
        tinyprof.cli.main()

    return Child(run, group)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def probe_as_a_modem() -> int:
    """Ask the port what modem it is, as desktops do with each that appears; the bytes that came
    back."""
    with BY_ID.open("r+b", buffering=0) as port:
        fcntl.fcntl(port, fcntl.F_SETFL, os.O_NONBLOCK)
        for question in (b"AT\r", b"ATI\r", b"AT+CGMM\r", bytes(64)):
            port.write(question)
            time.sleep(0.1)
        return len(port.read() or b"")


def refused() -> str:
    """The error that a user's program meets who opens the port while it is recorded."""

    def open_it() -> None:
        try:
            os.open(BY_ID, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            sys.exit(error.errno)

    _, code = Child(open_it, TTY_GROUP).result()
    return errno.errorcode.get(code or 0, "opened")


def packed(capture: Path) -> str:
    """A capture as text for the console: its bytes are looked through on a faster machine."""
    return base64.b64encode(zlib.compress(capture.read_bytes(), 1)).decode()


def pull_the_cable(capture: Path, recorder: Child) -> int:
    """How often it was pulled while the recording went on."""
    done = 0
    while done < REPLUGS:
        before = size(capture)
        await_until(
            lambda before=before: size(capture) > before + GROWTH or recorder.ended,
            "the capture does not grow",
        )
        if recorder.ended:
            break
        held = None
        if done % 5 == 4:
            # A program that holds the old port: the next one gets another number.
            held = os.open(BY_ID, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        unplug()
        plug()
        if held is not None:
            os.close(held)
        done += 1
    return done


def main() -> None:
    result: dict[str, Any] = {}
    names = Names()
    names.start()
    make_gadget()
    plug()
    ports()[0].chmod(0o600)
    theirs = Path("/run/theirs")
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    stranger = record(str(ports()[0]), theirs / "no.tpcap", group=NOBODY)
    result["stranger"] = stranger.result()
    ports()[0].chmod(0o660)

    first = Path("/run/first.tpcap")
    recorder = record(str(ports()[0]), first, "--wait", "--no-tui", "--epochs", str(EPOCHS))
    await_until(lambda: size(first) > GROWTH, "nothing is recorded")
    result["beside it"] = refused()
    result["replugs"] = pull_the_cable(first, recorder)
    said, result["code"] = recorder.result()
    result["said"] = said[-600:]

    result["answered to a modem's questions"] = probe_as_a_modem()
    second = Path("/run/second.tpcap")
    again = record(str(BY_PATH), second, "--epochs", "3", "--no-tui")
    said, result["second code"] = again.result()
    result["said again"] = said[-600:]
    result["ports"] = sorted(names.seen)
    result["first"], result["second"] = packed(first), packed(second)
    print("result", json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
