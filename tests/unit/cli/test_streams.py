# SPDX-License-Identifier: MIT
"""What is shown never holds what is stored: streams that nobody reads, streams that are closed,
and signals at any moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from support.commands import PYTHON
from tinyprof.capture.format import CaptureError, Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.wire.frames import ConsoleText, encode_message
from tinyprof.wire.messages import Message
from tinyprof.wire.sequence import Frame

PATIENCE = 30.0
FLOOD = b"a line of a kernel that prints and prints\r\n"
LINES = 20_000
"""Lines of console text: many times what a pipe holds, and more than is kept for a reader."""


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The end to write to of a pipe that nobody reads, and that takes nothing more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str | Path, **streams: Any) -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([*PYTHON, *map(str, words)], **streams))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def events_of(capture: Path) -> tuple[CaptureReader, list[object]]:
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        return reader, list(reader.events())


def ending_of(capture: Path) -> Ending | None:
    """Why a recording ended; None: it goes on, or has not begun."""
    try:
        return events_of(capture)[0].ending
    except (CaptureError, FileNotFoundError):
        return None


def messages_of(capture: Path) -> list[Message]:
    return [event.message for event in events_of(capture)[1] if isinstance(event, Frame)]


def console_of(capture: Path) -> bytes:
    return b"".join(e.data for e in events_of(capture)[1] if isinstance(e, ConsoleText))


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not happened():
        assert monotonic() < deadline, "it never happened"
        os.sched_yield()


@pytest.mark.parametrize("blocked", ["stderr", "stdout and stderr", "console"])
def test_a_stream_that_nobody_reads_holds_no_recording_up(
    tmp_path: Path,
    pty: tuple[int, str],
    full_pipe: int,
    started: Callable[..., subprocess.Popen[bytes]],
    story: list[Message],
    blocked: str,
) -> None:
    capture, words = tmp_path / "capture", ["--no-tui"]
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": full_pipe}
    if blocked == "stdout and stderr":
        words, streams["stdout"] = ["--json"], full_pipe
    elif blocked == "console":
        os.mkfifo(tmp_path / "fifo")
        words, streams["stderr"] = ["--console", str(tmp_path / "fifo")], subprocess.DEVNULL
    process = started("record", pty[1], "-o", capture, *words, **streams)
    assert os.read(pty[0], 1) == b"\0"
    line = b"".join(encode_message(message, seq) for seq, message in enumerate(story))
    flood = FLOOD * LINES
    write_all(pty[0], line[: len(line) // 2 + 1])
    rest = line[len(line) // 2 + 1 :]
    cut = rest.index(b"\0") + 1
    write_all(pty[0], rest[:cut] + flood + b"\0" + rest[cut:])
    wait_until(lambda: capture.stat().st_size > len(flood) + len(line))
    wait_until(lambda: messages_of(capture) == story)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 130
    reader, _ = events_of(capture)
    assert (reader.ending, reader.cut_at) == (Ending.INTERRUPTED, None)
    assert messages_of(capture) == story
    assert console_of(capture) == flood


def test_a_reader_that_comes_late_is_told_how_much_it_missed(
    tmp_path: Path, story: list[Message], started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    frames = [encode_message(message, seq) for seq, message in enumerate(story)]
    (tmp_path / "line").write_bytes(b"".join([frames[0], FLOOD * LINES, b"\0", *frames[1:]]))
    command = ["record", tmp_path / "line", "-o", tmp_path / "capture", "--no-tui"]
    process = started(*command, stderr=subprocess.PIPE)
    wait_until(lambda: ending_of(tmp_path / "capture") is not None)
    assert process.stderr
    said = process.stderr.read().decode()
    assert process.wait(PATIENCE) == 0
    assert " lines were not shown, because nobody read them" in said
    shown = sum(line.startswith("a line of a kernel") for line in said.splitlines())
    # It may be told in parts: the reader is there before all lines are.
    told = [line for line in said.splitlines() if "not shown" in line]
    assert shown + sum(int(line.split()[1]) for line in told) >= LINES
    assert "next: tinyprof view" in said


def test_a_console_pipe_that_is_read_gets_every_byte(tmp_path: Path, story: list[Message]) -> None:
    frames = [encode_message(message, seq) for seq, message in enumerate(story)]
    (tmp_path / "line").write_bytes(b"".join([frames[0], FLOOD * 100, b"\0", *frames[1:]]))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    words = ["record", tmp_path / "line", "-o", tmp_path / "capture", "--console", fifo]
    done = subprocess.run([*PYTHON, *map(str, words)], capture_output=True, check=False)
    reader.join(PATIENCE)
    assert (done.returncode, got) == (0, [FLOOD * 100])


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_change_no_recording(
    tmp_path: Path, story: list[Message], closed: tuple[int, ...]
) -> None:
    line = b"".join(encode_message(message, seq) for seq, message in enumerate(story))
    (tmp_path / "line").write_bytes(b"text\n\0" + line)
    words = ["record", tmp_path / "line", "-o", tmp_path / "capture", "--no-tui"]

    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run(
        [*PYTHON, *map(str, words)], capture_output=True, text=True, check=False, preexec_fn=close
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    reader, _ = events_of(tmp_path / "capture")
    assert (reader.cut_at, reader.ending) == (None, Ending.LINE_ENDED)
    assert messages_of(tmp_path / "capture") == story


@pytest.mark.parametrize(
    ("words", "closed", "said"),
    [
        (["-"], 0, "standard input is closed"),
        (["line", "--json"], 1, "standard output is closed"),
    ],
)
def test_a_closed_stream_that_is_needed_is_named(
    tmp_path: Path, words: list[str], closed: int, said: str
) -> None:
    (tmp_path / "line").write_bytes(b"")
    done = subprocess.run(
        [*PYTHON, "record", *words, "-o", "capture"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
        preexec_fn=lambda: os.close(closed),
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "capture").exists()


@pytest.mark.parametrize("streams", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_view_with_closed_streams_says_that_it_has_no_terminal(
    capture: Path, streams: tuple[int, ...]
) -> None:
    def close() -> None:
        for number in streams:
            os.close(number)

    done = subprocess.run(
        [*PYTHON, "view", str(capture)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=close,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


SEED = 20261128


def test_a_signal_in_the_first_moments_leaves_a_whole_capture_or_none(
    tmp_path: Path, pty: tuple[int, str], started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    codes = []
    for number in range(12):
        capture = tmp_path / f"{number}.tpcap"
        process = started("record", pty[1], "-o", capture, "--no-tui", stderr=subprocess.DEVNULL)
        try:
            # Any moment from the start of the program on is the wanted one.
            process.wait(rng.uniform(0.1, 0.9))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
        codes.append(process.wait(PATIENCE))
        if capture.exists():
            reader, _ = events_of(capture)
            assert (reader.cut_at, reader.ending) == (None, Ending.INTERRUPTED)
            assert codes[-1] == 130
    # Before the program itself runs, Python ends by the signal.
    assert set(codes) <= {130, -signal.SIGTERM}


def test_a_signal_while_a_port_is_waited_for_leaves_no_file_that_hinders_the_next(
    tmp_path: Path, started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    words = ["record", tmp_path / "none", "--wait", "-o", tmp_path / "capture", "--no-tui"]
    process = started(*words, stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "capture").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 130
    assert not (tmp_path / "capture").exists()


def test_a_recording_is_said_to_end_by_what_ended_it(tmp_path: Path, story: list[Message]) -> None:
    line = b"".join(encode_message(message, seq) for seq, message in enumerate(story))
    (tmp_path / "line").write_bytes(line)
    for words, said in (([], "the port closed"), (["--epochs", "1"], "the number of --epochs")):
        capture = tmp_path / f"{len(words)}.tpcap"
        command = [
            *PYTHON,
            "record",
            str(tmp_path / "line"),
            "-o",
            str(capture),
            "--no-tui",
            *words,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert f"the recording ended: {said}" in done.stderr, done.stderr
        shown = subprocess.run(
            [*PYTHON, "capture", "check", str(capture)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert said in shown.stderr


def test_a_target_that_falls_silent_is_said_and_kept(
    tmp_path: Path, pty: tuple[int, str], story: list[Message]
) -> None:
    hello = replace(story[0])
    words = ["record", pty[1], "-o", tmp_path / "capture", "--json", "--duration", "7s"]
    with subprocess.Popen(
        [*PYTHON, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert os.read(pty[0], 1) == b"\0"
        line = [hello, *story[1:]]
        write_all(pty[0], b"".join(encode_message(it, seq) for seq, it in enumerate(line)))
        out, said = process.communicate(timeout=PATIENCE)
    # Nobody knows what it recorded since.
    assert process.returncode == 3
    assert "the target has sent nothing for 5 s" in said
    assert "the time of --duration was over; the target had sent nothing for" in said
    assert json.loads(out)["causes"]["silent_ms"] >= 5000
    reader, _ = events_of(tmp_path / "capture")
    assert reader.losses
    assert reader.losses["silent_ms"] >= 5000


def test_a_target_that_repeats_loses_nothing_while_nobody_reads(
    tmp_path: Path, full_pipe: int, started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    capture = tmp_path / "capture"
    words = ["record", "sim:", "-o", capture, "--speed", "0", "--no-tui"]
    process = started(*words, stderr=full_pipe)
    wait_until(lambda: ending_of(capture) is Ending.LINE_ENDED)
    # It is over, and waits for somebody to read where the capture is.
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    done = subprocess.run(
        [*PYTHON, "capture", "info", str(capture), "--json"], capture_output=True, check=True
    )
    facts = json.loads(done.stdout)
    assert (facts["lossless"], facts["repeats"], facts["records"]) == (True, True, 3291)
