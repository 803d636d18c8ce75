# SPDX-License-Identifier: MIT
"""A host stops the recording of a real kernel, and starts it again, while a program runs on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from support.silent import Silent
from target.booting import BOARD, KERNELS, RECORD_FROM_THE_START, pattern_image
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import Recording, record
from tinyprof.wire.frames import Command, Event
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Status, Trace
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.sequence import Frame


class Host(Silent):
    """Stops the recording after the program's first round, and starts it a second later."""

    def __init__(self, pattern: range) -> None:
        self.messages: list[Message] = []
        self.pattern = pattern
        self._commands: list[Command] = []
        self._turns = self._script()
        next(self._turns)

    def touches(self, message: Message | None) -> bool:
        """True if the program's pages are in it."""
        return isinstance(message, Pages) and any(
            page_id in self.pattern for page_id in message.page_ids
        )

    def _script(self) -> Generator[None, Message, None]:
        while not self.touches((yield)):
            pass
        self._commands.append(Trace(False))
        while not is_recording((yield), False):
            pass
        while not isinstance((yield), Status):
            pass
        self._commands.append(Trace(True))
        while True:
            yield

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                self.messages.append(event.message)
                self._turns.send(event.message)

    def commands(self) -> list[Command]:
        due, self._commands = self._commands, []
        return due


def is_recording(message: Message, on: bool) -> bool:
    return isinstance(message, Hello) and [volume.recording for volume in message.volumes] == [on]


@pytest.mark.parametrize("version", KERNELS)
def test_what_runs_while_stopped_leaves_no_record_and_costs_none(
    tmp_path: Path, guest: Callable[[str], Path], agent: Path, version: str
) -> None:
    image = pattern_image(
        tmp_path, guest("touches"), range(0, 48, 2), {"sbin/tinyprof-agent": agent}
    )
    entry = next(it for it in read_image(image.read_bytes()).entries if it.path == "/pattern")
    host = Host(range(entry.page_id(0), entry.page_id(0) + entry.pages))
    # In real time, unlike other boots: a guest that skips its idle time would not wait for a host.
    words = ["--version", version, "--append", f"{RECORD_FROM_THE_START} TINYPROF_EPOCH=250"]
    with subprocess.Popen(
        [BOARD, "run", image, "--timeout", "600", "--serial", "pty", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as running:
        assert running.stderr
        port = next((line.split()[-1] for line in running.stderr if "line is" in line), "")
        recording = recorded(port, host, tmp_path / "capture")
        running.communicate()
    said = host.messages
    stop = next(n for n, message in enumerate(said) if is_recording(message, False))
    start = next(n for n, message in enumerate(said[stop:], stop) if is_recording(message, True))
    assert any(map(host.touches, said[:stop]))
    # Queued records still come, and the end of their epoch. Then nothing comes.
    late = [message for message in said[stop:start] if isinstance(message, Pages | EpochEnd)]
    assert [type(message) for message in late].count(EpochEnd) <= 1
    assert not late or isinstance(late[-1], EpochEnd)
    assert any(map(host.touches, said[start:]))
    assert not recording.totals.losses


def recorded(port: str, host: Host, capture: Path) -> Recording:
    link = open_link(port)
    try:
        with capture.open("xb", buffering=0) as file:
            watch = LineWatch(port, 115_200)
            return record(
                link, CaptureWriter(file), watch, host, commands=host.commands, on_events=host.take
            )
    finally:
        link.close()
