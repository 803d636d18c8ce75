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
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPLUGS, EPOCHS = (int(os.environ[name]) for name in ("REPLUGS", "EPOCHS"))
GADGET = Path("/sys/kernel/config/usb_gadget/board")
UDC = "dummy_udc.0"
SERIAL_FOLDER = Path("/dev/serial")
BY_ID = SERIAL_FOLDER / "by-id/usb-tinyprof_board_0001-if00"
BY_PATH = SERIAL_FOLDER / "by-path/platform-dummy_hcd.0-usb-0:1:1.0"
TINYPROF = [sys.executable, "-c", "from tinyprof.cli import main; main()"]
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


def as_somebody(group: int) -> list[str]:
    """Words before a command: it runs as a user who may read every file, since the interpreter
    may lie in somebody's home, and do no more."""
    rights = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={group}", "--clear-groups", *rights]


def record(
    port: str, capture: Path, *options: str, words: Sequence[str] = ()
) -> subprocess.Popen[str]:
    command = [*words, *TINYPROF, "record", port, "-o", str(capture), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


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
    child = (
        "import os, sys\n"
        "try: os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\n"
        "except OSError as error: print(error.errno)\n"
    )
    command = [*as_somebody(TTY_GROUP), sys.executable, "-c", child, str(BY_ID)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return errno.errorcode.get(int(run.stdout or 0), "opened")


def packed(capture: Path) -> str:
    """A capture as text for the console: its bytes are looked through on a faster machine."""
    return base64.b64encode(zlib.compress(capture.read_bytes(), 1)).decode()


def pull_the_cable(capture: Path, recorder: subprocess.Popen[str]) -> int:
    """How often it was pulled while the recording went on."""
    done = 0
    while done < REPLUGS:
        before = size(capture)
        await_until(
            lambda before=before: size(capture) > before + GROWTH or recorder.poll() is not None,
            "the capture does not grow",
        )
        if recorder.poll() is not None:
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
    stranger = record(str(ports()[0]), theirs / "no.tpcap", words=as_somebody(NOBODY))
    result["stranger"] = [stranger.communicate()[1], stranger.returncode]
    ports()[0].chmod(0o660)

    first = Path("/run/first.tpcap")
    recorder = record(str(ports()[0]), first, "--wait", "--no-tui", "--epochs", str(EPOCHS))
    await_until(lambda: size(first) > GROWTH, "nothing is recorded")
    result["beside it"] = refused()
    result["replugs"] = pull_the_cable(first, recorder)
    result["said"] = recorder.communicate()[1][-600:]
    result["code"] = recorder.returncode

    result["answered to a modem's questions"] = probe_as_a_modem()
    second = Path("/run/second.tpcap")
    again = record(str(BY_PATH), second, "--epochs", "3", "--no-tui")
    result["said again"] = again.communicate()[1][-600:]
    result["second code"] = again.returncode
    result["ports"] = sorted(names.seen)
    result["first"], result["second"] = packed(first), packed(second)
    print("result", json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
