# SPDX-License-Identifier: MIT
"""A recorder that is killed at any moment leaves a capture that opens, and that holds all
acknowledged frames."""

from __future__ import annotations

import os
import random
import signal
import socket
from pathlib import Path
from time import monotonic

import pytest

from support.extent import ALL
from support.silent import Silent
from tinyprof.capture.compression import LinePacker
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import record
from tinyprof.record.sim import Sender
from tinyprof.wire.frames import FrameDecoder
from tinyprof.wire.messages import Ack, Pages, RepeatPlease
from tinyprof.wire.ports.opening import DescriptorLink
from tinyprof.wire.sequence import Frame

SEED = 20261124
KILLS, PACKED_KILLS = (300, 100) if ALL else (100, 40)
FRAMES_MAX = 400


def recorder(line: socket.socket, path: Path, *, packed: bool) -> int:
    """A recorder as a process of its own, without the time that a new interpreter takes."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with path.open("wb", buffering=0) as file:
            record(
                DescriptorLink(line.detach(), "line", writable=True),
                CaptureWriter(file, packer=LinePacker() if packed else None),
                LineWatch("line", 115_200),
                Silent(),
            )
    finally:
        os._exit(1)


class Target:
    """Says numbered pages as fast as they are acknowledged, and remembers how far that is."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._sender, self._decoder = line, Sender(7), FrameDecoder()
        self.said = 0
        self.acknowledged = 0

    def listen(self) -> bool:
        """Take what the host says; False once it is dead."""
        try:
            data = self._line.recv(4096)
        except ConnectionResetError:
            return False
        for event in self._decoder.feed(data):
            if isinstance(event, Frame) and isinstance(event.message, RepeatPlease):
                self._line.sendall(self._sender.begin(monotonic()))
            elif isinstance(event, Frame) and isinstance(event.message, Ack):
                self.acknowledged = max(self.acknowledged, event.message.next)
                self._sender.take(event.message, monotonic())
        return bool(data)

    def talk(self, frames: int) -> None:
        for _ in range(frames):
            while self._sender.full:
                self.listen()
            self._line.sendall(self._sender.say(page(self.said), monotonic()))
            self.said += 1


def page(number: int) -> Pages:
    return Pages(
        0,
        1,
        number,
        tuple(range(number, number + 1 + number % 90, 3)),
        bytes(1 + number % 90 // 3),
    )


@pytest.mark.parametrize(
    ("packed", "kills"), [(False, KILLS), (True, PACKED_KILLS)], ids=["plain", "packed"]
)
def test_whatever_was_acknowledged_is_in_the_capture(
    tmp_path: Path, packed: bool, kills: int
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    acknowledged = 0
    for kill in range(kills):
        path = tmp_path / str(kill)
        ours, theirs = socket.socketpair()
        pid = recorder(theirs, path, packed=packed)
        theirs.close()
        target = Target(ours)
        target.listen()
        target.talk(rng.randrange(1, FRAMES_MAX))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while target.listen():
            pass
        ours.close()
        with path.open("rb") as file:
            reader = CaptureReader(file)
            got = [event.message for event in reader.events() if isinstance(event, Frame)]
        # Number 0 of the line is the first page: nothing else was said.
        assert got == [page(number) for number in range(len(got))]
        assert len(got) >= target.acknowledged
        acknowledged += target.acknowledged
        path.unlink()
    assert acknowledged > kills * FRAMES_MAX / 8
