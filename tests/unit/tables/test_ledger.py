# SPDX-License-Identifier: MIT
"""What was lost, by cause: the same at the end of a recording, in its capture, and in `capture
info`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from support.commands import tinyprof_text
from support.silent import Silent
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import record
from tinyprof.wire.frames import encode_frame, encode_message
from tinyprof.wire.messages import Begin, EpochEnd, Hello, Message, Pages, Status

CAUSES = {
    "frames": (2, "lost", "frames missing by their numbers"),
    "records": (5, "lost", "records missing by the epochs' ends"),
    "corrupt": (1, "lost", "corrupt stretch that"),
    "untraced": (3, "lost", "touches that the target could not trace"),
    "write_errors": (4, "lost", "frames under which the target's port vanished"),
    "duplicates": (1, "not lost", "frame that came again"),
    "waited_ms": (250, "not lost", "ms for which the target kept its records back"),
    "unknown_messages": (2, "not lost", "messages of a later version"),
}


@pytest.fixture
def line(hello: Hello, story: list[Message]) -> bytes:
    pages, end = story[1:]
    assert isinstance(pages, Pages)
    assert isinstance(end, EpochEnd)
    # Without a window: what it sends once, it does not repeat.
    said: dict[int, Message] = {
        0: hello,
        1: pages,
        4: replace(end, records=(3, 2, 2, 2)),
        5: Status(9, 0, untraced=3, write_errors=4, repeats=0, waited_ms=250),
    }
    frames = [encode_message(message, seq) for seq, message in said.items()]
    later = [
        encode_frame(msgpack.packb(body)) for body in ([31, 6, "new"], [1, 7, 2, "a later hello"])
    ]
    return b"".join([*frames[:2], frames[1], b"\0\xfe\x81 torn \xff\0", *frames[2:], *later])


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


def test_every_cause_is_told_at_the_end_kept_in_the_capture_and_told_again(
    tmp_path: Path, line: bytes
) -> None:
    (tmp_path / "line").write_bytes(line)
    capture = tmp_path / "capture"
    done = run("record", tmp_path / "line", "-o", capture, "--json")
    assert done.returncode == 3
    info, facts = (
        run("capture", "info", capture),
        json.loads(run("capture", "info", capture, "--json").stdout),
    )
    rows = [" ".join(row.split()) for row in (done.stderr + info.stdout).splitlines()]
    for name, (count, verdict, what) in CAUSES.items():
        assert sum(row.startswith(f"{verdict} {count} {what}") for row in rows) == 2, (name, rows)
    for text in (done.stderr, info.stdout):
        assert "epoch 1 lacks 5 records" in text
    counts = {name: count for name, (count, _, _) in CAUSES.items()}
    assert {
        name: count for name, count in json.loads(done.stdout)["causes"].items() if count
    } == counts
    assert {name: count for name, count in facts["causes"].items() if count} == counts
    assert {name: count for name, count in (losses_in(capture) or {}).items() if count} == counts


def losses_in(capture: Path) -> dict[str, int] | None:
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        list(reader.events())
        return reader.losses


class Port:
    """A port of this machine that has no room for 7 bytes, and goes away and comes back."""

    writable = True
    away = False
    overruns = 0
    gaps = 0

    def __init__(self, *reads: bytes) -> None:
        self._reads = list(reads)

    def read(self, timeout: float) -> bytes | None:
        self.overruns, self.gaps = 7, 1
        return self._reads.pop(0) if self._reads else None

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_this_machine_lost_and_the_target_made_good_is_in_the_capture(
    tmp_path: Path, hello: Hello, story: list[Message]
) -> None:
    repeated = [encode_message(message, seq, repeated=True) for seq, message in enumerate(story)]
    line = b"".join([encode_message(Begin(7), 0), repeated[0], b"\0\xfe\x81\0", *repeated[1:]])
    with (tmp_path / "capture").open("wb", buffering=0) as file:
        recording = record(Port(line), CaptureWriter(file), LineWatch("port", 1), Silent())
    assert not recording.totals.losses
    facts: dict[str, Any] = json.loads(
        run("capture", "info", tmp_path / "capture", "--json").stdout
    )
    assert facts["lossless"]
    counts = {name: count for name, count in facts["causes"].items() if count}
    assert counts == {"overruns": 7, "gaps": 1, "corrupt_repeated": 1}
    assert {name: n for name, n in (losses_in(tmp_path / "capture") or {}).items() if n} == counts
    said = run("capture", "info", tmp_path / "capture").stdout
    assert "7 bytes that this machine's port had no room for" in said
    assert "1 time that the port went away" in said
