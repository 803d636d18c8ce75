# SPDX-License-Identifier: MIT
"""`tinyprof record` as scripts and people meet it: summary, exit code, what is said, what is left
behind."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.commands import PYTHON
from tinyprof.capture.format import Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello, Message, Pages
from tinyprof.wire.sequence import Frame

SEED = 20261124


def line_of(messages: list[Message]) -> bytes:
    return b"".join(encode_message(message, seq) for seq, message in enumerate(messages))


def read(capture: Path) -> tuple[CaptureReader, list[Message]]:
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        return reader, [event.message for event in reader.events() if isinstance(event, Frame)]


class Record:
    """`tinyprof record` of a file that holds a line."""

    def __init__(self, folder: Path, line: bytes, *words: str | Path, **how: Any) -> None:
        (folder / "line").write_bytes(line)
        self.capture = folder / "capture"
        command = [*PYTHON, "record", folder / "line", "-o", self.capture, "--json", *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False, **how)
        self.code, self.said = run.returncode, run.stderr
        self.summary = json.loads(run.stdout)


def test_the_summary_is_one_document_with_every_figure(
    tmp_path: Path, story: list[Message], hello: Hello, image_file: Path
) -> None:
    line = line_of(story)
    it = Record(tmp_path, line, "--image", image_file)
    assert it.code == 0
    fsid = str(hello.volumes[0].fsid)
    seconds = it.summary.pop("seconds")
    assert isinstance(seconds, float)
    assert it.summary == {
        "capture": str(it.capture),
        "parts": 1,
        "port": str(tmp_path / "line"),
        "baud": 115_200,
        "image": fsid,
        "ended": "line_ended",
        "error": None,
        "runs": 1,
        "records": 4,
        "pages": 3,
        "epochs": 1,
        "bytes": len(line),
        "console_bytes": 0,
        "corrupt_bytes": 0,
        "bytes_per_record": round(len(line) / 4, 3),
        "unknown_messages": 0,
        "joined_late": False,
        "lossless": True,
        "lost": {
            "frames": 0,
            "corrupt": 0,
            "records": 0,
            "untraced": 0,
            "write_errors": 0,
            "beyond_limits": 0,
            "lost_events": 0,
        },
        "repeats": False,
        "causes": {
            "frames": 0,
            "corrupt": 0,
            "records": 0,
            "untraced": 0,
            "write_errors": 0,
            "beyond_limits": 0,
            "lost_events": 0,
            "corrupt_repeated": 0,
            "duplicates": 0,
            "waited_ms": 0,
            "gaps": 0,
            "overruns": 0,
            "unknown_messages": 0,
        },
        "missing": [],
        "files_told": 0,
        "hello": {
            "protocol": 1,
            "agent": "0.1.0",
            "kernel": "6.1.192",
            "arch": "armv7l",
            "page_size": 4096,
            "boot_id": b"1st boot".hex(),
            "epoch_ms": 1000,
            "tracer": 1,
            "source": None,
            "volumes": [
                {
                    "volume": 0,
                    "fsid": fsid,
                    "size": hello.volumes[0].size,
                    "name": "Compressed",
                    "recording": True,
                    "files": False,
                }
            ],
        },
    }


def test_a_loss_is_exit_3_and_named(tmp_path: Path, story: list[Message]) -> None:
    it = Record(tmp_path, encode_message(story[0], 0) + encode_message(story[2], 2))
    assert it.code == 3
    assert (it.summary["lossless"], it.summary["lost"]["records"]) == (False, 4)
    assert "lost: 1 frame, 4 records" in it.said
    assert it.summary["missing"] == [{"run": 1, "volume": 0, "epoch": 1, "records": 4}]
    assert "epoch 1 lacks 4 records" in it.said


def test_a_target_that_ran_already_is_told_from_one_that_lost(
    tmp_path: Path, story: list[Message]
) -> None:
    it = Record(tmp_path, encode_message(story[0], 70) + encode_message(story[2], 71))
    assert (it.code, it.summary["joined_late"], it.summary["lost"]["records"]) == (3, True, 4)
    assert "what its first epoch had before this recording included" in it.said


def test_another_image_is_exit_1_and_the_recording_is_kept(
    tmp_path: Path, rootfs: Path, story: list[Message], image_file: Path, hello: Hello
) -> None:
    other = tmp_path / "other"
    other.write_bytes(write_image(Tree.from_directory(rootfs), {}, WriteOptions(edition=7)).image)
    it = Record(tmp_path, line_of(story), "--image", other)
    assert it.code == 1
    assert str(hello.volumes[0].fsid) in it.said
    assert read(it.capture)[1] == story
    words: list[str | Path] = [
        *PYTHON,
        "profile",
        it.capture,
        "--image",
        image_file,
        "-o",
        tmp_path / "profile",
    ]
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_a_kernel_without_tracer_is_exit_1(tmp_path: Path, hello: Hello) -> None:
    it = Record(tmp_path, line_of([replace(hello, tracer=0, volumes=())]))
    assert (it.code, it.summary["ended"]) == (1, "line_ended")
    assert "CONFIG_CRAMFS_TINYPROF=y" in it.said


@pytest.mark.parametrize("line", [b"", b"\xfe\x81" * 500])
def test_a_line_without_target_is_exit_1(tmp_path: Path, line: bytes) -> None:
    it = Record(tmp_path, line)
    assert it.code == 1
    assert "no target was heard" in it.said
    assert "115200 baud" in it.said
    # What arrived may tell why. Where nothing did, no file stands in the way of the next try.
    assert it.capture.exists() == bool(line)
    assert (it.summary["capture"] is None) == (not line)


def test_what_a_target_repeats_for_a_host_that_answers_is_told_as_such(
    tmp_path: Path, story: list[Message]
) -> None:
    again = [
        encode_message(message, 7 + seq, repeated=True) for seq, message in enumerate(story[1:])
    ]
    it = Record(tmp_path, b"".join(again) + again[0] * 50)
    assert it.code == 1
    assert "waits for acknowledgements" in it.said
    assert (it.summary["records"], it.summary["lossless"]) == (4, False)


def test_console_text_is_harmless_on_screen_and_raw_in_its_file(
    tmp_path: Path, story: list[Message]
) -> None:
    text = b"\x1b]0;owned\x07\x1b[2Jlogin:\r\n"
    it = Record(tmp_path, text + line_of(story), "--console", tmp_path / "console")
    assert it.code == 0
    assert "\x1b" not in it.said
    assert r"\x1b]0;owned\x07\x1b[2Jlogin:" in it.said
    assert (tmp_path / "console").read_bytes() == text


def test_a_target_cannot_reach_the_terminal_with_its_name(
    tmp_path: Path, hello: Hello, pty: tuple[int, str]
) -> None:
    (tmp_path / "line").write_bytes(line_of([replace(hello, kernel="6.1\x1b[2J", tracer=0)]))
    # On a terminal, because click strips such sequences everywhere else.
    with Path(pty[1]).open("wb", buffering=0) as terminal:
        command: list[str | Path] = [
            *PYTHON,
            "record",
            tmp_path / "line",
            "-o",
            tmp_path / "capture",
            "--no-tui",
        ]
        subprocess.run(command, stderr=terminal, check=False)
    said = os.read(pty[0], 4096)
    assert rb"6.1\x1b[2J" in said
    assert b"\x1b[2J" not in said


def test_a_full_disk_ends_it_with_everything_before_readable(
    tmp_path: Path, story: list[Message]
) -> None:
    pages = story[1]
    assert isinstance(pages, Pages)
    many = [replace(pages, epoch=epoch) for epoch in range(1, 6000)]

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    it = Record(tmp_path, line_of([story[0], *many]), preexec_fn=small_files)
    assert (it.code, it.summary["ended"]) == (1, None)
    assert "cannot be written" in it.said
    reader, messages = read(it.capture)
    assert reader.cut_at is None
    assert messages[: len(messages)] == [story[0], *many][: len(messages)]
    assert len(messages) > 1000


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def started(tmp_path: Path, pty: tuple[int, str]) -> Iterator[Started]:
    """A recording of the pty that has opened it."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [*PYTHON, "record", pty[1], "-o", str(tmp_path / "capture"), *words]
        running.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        assert os.read(pty[0], 1) == b"\0"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_complete_capture(
    tmp_path: Path, pty: tuple[int, str], started: Started, story: list[Message], number: int
) -> None:
    process = started("--json")
    before = (tmp_path / "capture").stat().st_size
    os.write(pty[0], line_of(story) + b"\0half a frame")
    while (tmp_path / "capture").stat().st_size == before:
        os.sched_yield()
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert json.loads(out)["ended"] == "interrupted"
    reader, messages = read(tmp_path / "capture")
    assert (reader.ending, messages) == (Ending.INTERRUPTED, story)


def test_a_wrong_baud_rate_is_said_while_recording(pty: tuple[int, str], started: Started) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    process = started("--baud", "57600", "--duration", "20s")
    assert process.stderr
    os.set_blocking(process.stderr.fileno(), False)
    said = ""
    while "baud" not in said:
        os.write(pty[0], rng.randbytes(200))
        process.stderr.flush()
        try:
            said += os.read(process.stderr.fileno(), 4096).decode()
        except BlockingIOError:
            assert process.poll() is None
            # The pace of a slow line; the recorder judges two seconds of it.
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
    assert "57600 baud" in said
    assert "--baud 115200" in said
    assert process.poll() is None


def test_a_port_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, pty: tuple[int, str], story: list[Message]
) -> None:
    port = tmp_path / "port"
    command = [*PYTHON, "record", str(port), "-o", str(tmp_path / "capture"), "--wait", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert "waiting for" in process.stderr.readline()
        port.symlink_to(pty[1])
        assert os.read(pty[0], 1) == b"\0"
        before = (tmp_path / "capture").stat().st_size
        os.write(pty[0], line_of(story))
        while (tmp_path / "capture").stat().st_size < before + len(line_of(story)):
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["records"] == 4


def test_a_file_is_recorded_once_and_is_not_waited_for(
    tmp_path: Path, story: list[Message]
) -> None:
    it = Record(tmp_path, line_of(story), "--wait", timeout=60)
    assert (it.code, it.summary["records"]) == (0, 4)
    reader, messages = read(it.capture)
    assert (messages, reader.gaps) == (story, [])


def test_a_simulated_target_is_recorded_with_its_index(tmp_path: Path) -> None:
    command = [
        *PYTHON,
        "record",
        "sim:",
        "-o",
        str(tmp_path / "capture"),
        "--speed",
        "0",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    summary = json.loads(done.stdout)
    assert done.returncode == 0
    assert (summary["repeats"], summary["lossless"]) == (True, True)
    assert read(tmp_path / "capture")[0].index is not None


def test_noise_is_for_a_simulated_target_only(tmp_path: Path) -> None:
    command = [*PYTHON, "record", "port", "-o", str(tmp_path / "capture"), "--noise"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
