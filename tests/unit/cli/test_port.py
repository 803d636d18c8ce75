# SPDX-License-Identifier: MIT
"""`tinyprof record` and the port it is given: refused, taken, full, or unplugged in between."""

from __future__ import annotations

import grp
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from support.commands import PYTHON
from tinyprof.capture.reader import CaptureReader
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Begin, Hello, Message, Status

RUN = [*PYTHON, "record"]
AS_NOBODY = """
import os
from tinyprof.cli import main
from tinyprof.record import session
def as_nobody(*words, root_opens=session.open_link):
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    return root_opens(*words)
session.open_link = as_nobody
main()
"""
"""Root until the port is opened: nobody else may be let see this interpreter's modules."""

PATIENCE = 60.0


class Pty:
    """A pty whose other side is this test."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.name = os.ttyname(self._slave)

    def takes_more(self) -> bool:
        """Whether the recorder could still send something."""
        return bool(select.select([], [self._slave], [], 0)[1])

    def unplug(self) -> None:
        os.close(self._slave)
        os.close(self.master)


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    yield pty
    pty.unplug()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a recording into `capture`."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [*RUN, *words, "-o", str(tmp_path / "capture"), "--json"]
        running.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not happened():
        assert monotonic() < deadline, "it never happened"
        os.sched_yield()


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, object], str]:
    out, said = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out), said


class Feed:
    """A line at the other end of whatever a test names as its port."""

    def __init__(self, folder: Path, line: bytes) -> None:
        self._folder, self._line = folder, line
        self.stdin: int | None = None

    def file(self) -> str:
        (self._folder / "line").write_bytes(self._line)
        return str(self._folder / "line")

    def pipe(self) -> str:
        self.stdin, end = os.pipe()
        os.write(end, self._line)
        os.close(end)
        return "-"

    def fifo(self) -> str:
        path = self._folder / "fifo"
        os.mkfifo(path)
        # Open for good: a pipe forgets what nobody has read when its last end closes.
        os.write(os.open(path, os.O_RDWR), self._line)
        return str(path)

    def unix(self) -> str:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self._folder / "socket"))
        self._serve(server)
        return f"unix:{self._folder}/socket"

    def tcp(self) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        self._serve(server)
        return f"socket://127.0.0.1:{server.getsockname()[1]}"

    def pyserial(self) -> str:
        pty = Pty()

        def answer() -> None:
            # Opening a port through pyserial throws away what has come before.
            os.read(pty.master, 1)
            os.write(pty.master, self._line)

        threading.Thread(target=answer, daemon=True).start()
        return f"spy://{pty.name}?file=/dev/null"

    def _serve(self, server: socket.socket) -> None:
        server.listen()

        def serve() -> None:
            with server, server.accept()[0] as line:
                line.sendall(self._line)

        threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("way", ["file", "pipe", "fifo", "unix", "tcp", "pyserial"])
def test_every_kind_of_port_is_recorded(tmp_path: Path, story: list[Message], way: str) -> None:
    feed = Feed(
        tmp_path, b"".join(encode_message(message, seq) for seq, message in enumerate(story))
    )
    port: str = getattr(feed, way)()
    command = [*RUN, port, "-o", str(tmp_path / "capture"), "--json", "--epochs", "1"]
    done = subprocess.run(
        command, stdin=feed.stdin, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] == 4
    assert messages_in(tmp_path / "capture") == story


def test_a_port_of_another_recording_is_refused(tmp_path: Path, pty: Pty, start: Start) -> None:
    first = start(pty.name)
    assert os.read(pty.master, 1) == b"\0"
    command = [*RUN, pty.name, "-o", str(tmp_path / "second")]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    (said,) = second.stderr.splitlines()
    assert f"{pty.name} is in use by another program" in said
    assert f"fuser {pty.name}" in said
    assert not (tmp_path / "second").exists()
    assert first.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_port_that_belongs_to_a_group_says_how_to_join_it(pty: Pty) -> None:
    group = next(group for group in grp.getgrall() if group.gr_gid not in (0, 65_534))
    os.chown(pty.name, 0, group.gr_gid)
    Path(pty.name).chmod(0o660)
    command = [sys.executable, "-c", AS_NOBODY, "record", pty.name, "-o", "/nowhere/capture"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert f"cannot open {pty.name}: permission denied" in said
    assert f"sudo usermod -aG {group.gr_name} $USER" in said


def test_a_port_that_comes_back_under_another_number_goes_on_in_the_same_capture(
    tmp_path: Path, start: Start, story: list[Message]
) -> None:
    first, second = Pty(), Pty()
    port = tmp_path / "by-id"
    port.symlink_to(first.name)
    process = start(str(port), "--wait")
    assert os.read(first.master, 1) == b"\0"
    os.write(
        first.master,
        b"".join(encode_message(message, seq) for seq, message in enumerate(story[:2])),
    )
    wait_until(lambda: messages_in(tmp_path / "capture") == story[:2])
    port.unlink()
    first.unplug()
    assert process.stderr
    assert "the port went away" in process.stderr.readline()
    port.symlink_to(second.name)
    assert "the port is there" in process.stderr.readline()
    os.write(second.master, encode_message(story[2], 2))
    wait_until(lambda: messages_in(tmp_path / "capture") == story)
    process.send_signal(signal.SIGINT)
    code, summary, said = ended(process)
    second.unplug()
    assert (code, summary["records"], summary["lossless"]) == (130, 4, True)
    assert "1 time that the port went away" in said
    with (tmp_path / "capture").open("rb") as file:
        reader = CaptureReader(file)
        list(reader.events())
    assert len(reader.gaps) == 1


def messages_in(capture: Path) -> list[Message]:
    """What frames are in a capture by now."""
    if not capture.exists() or not capture.stat().st_size:
        return []
    with capture.open("rb") as file:
        return [
            message
            for event in CaptureReader(file).events()
            if (message := getattr(event, "message", None))
        ]


def test_a_port_that_takes_nothing_holds_no_end_up(pty: Pty, start: Start, hello: Hello) -> None:
    process = start(pty.name)
    assert os.read(pty.master, 1) == b"\0"
    os.write(pty.master, encode_message(hello, 0) + encode_message(Begin(7), 1))
    seq = 1
    # Nobody reads the acknowledgements, until the pty is full of them.
    while pty.takes_more():
        os.write(pty.master, encode_message(Status(seq, 0, 0, 0), seq, repeated=True))
        seq = (seq + 1) % 65_536
    process.send_signal(signal.SIGINT)
    code, summary, said = ended(process)
    assert (code, summary["repeats"], summary["lossless"]) == (130, True, True), said
