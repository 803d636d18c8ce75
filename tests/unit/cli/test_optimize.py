# SPDX-License-Identifier: MIT
"""`tinyprof optimize` on a played target: files left beside the image, exit codes, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import tty
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.commands import PYTHON
from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cli.loop.board import BoardCommand, Measured
from tinyprof.cli.loop.outcome import Outcome
from tinyprof.cli.loop.steady import SteadyWatch
from tinyprof.cramfs.reading.reader import open_image
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.wire.frames import FrameDecoder, encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Mark, Message, Pages
from tinyprof.wire.source import RESIDENCY, TouchSource

USED = (0, 3, 5)


def day(hello: Hello, program_ids: list[int], mark: str = "steady-state") -> list[Message]:
    """Four epochs of a second after a mark. Each executes three pages of /program."""
    ids = tuple(program_ids[page] for page in USED)
    story: list[Message] = [hello, EpochEnd(0, 1, 1000, (0, 0, 0, 0)), Mark(1, 1001, mark)]
    story.append(EpochEnd(0, 2, 1010, (0, 0, 0, 0)))
    for epoch in range(3, 7):
        ms = 1010 * epoch
        story.append(Pages(0, epoch, ms, ids, bytes([Kind.EXEC] * len(ids))))
        story.append(EpochEnd(0, epoch, ms + 9, (len(ids), 0, 0, 0)))
    return story


def played(folder: Path, index: ImageIndex, messages: Iterable[Message]) -> str:
    """The port of a simulated target that says these messages."""
    path = folder / "played.tpcap"
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file, index=index)
        for seq, message in enumerate(messages):
            writer.line(encode_message(message, seq))
        writer.end(Ending.LINE_ENDED)
    return f"sim:{path}"


@pytest.fixture
def port(tmp_path: Path, hello: Hello, program_ids: list[int], index: ImageIndex) -> str:
    return played(tmp_path, index, day(hello, program_ids))


def optimize(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, "optimize", *words], capture_output=True, text=True, check=False, timeout=100
    )


def test_a_played_target_becomes_an_image_and_the_files_beside_it(
    tmp_path: Path, rootfs: Path, port: str
) -> None:
    image = tmp_path / "out.cramfs"
    ended = optimize(rootfs, image, "--port", port, "--kernel", "patched", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["look_at"] == []
    assert told["prediction"]["image"] == image.stat().st_size
    (program,) = [entry for entry in open_image(image).entries if entry.path == "/program"]
    blocks = open_image(image).blocks(program)
    assert tuple(page for page, block in enumerate(blocks) if block.in_place) == USED
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"out.{end}" for end in ("cramfs", "tpcap", "tprof", "plan", "html", "json")} <= names
    assert json.loads((tmp_path / "out.json").read_text()) == told


def test_a_budget_is_kept_and_the_table_is_on_stdout(
    tmp_path: Path, rootfs: Path, port: str
) -> None:
    image, how = tmp_path / "out.cramfs", ("--kernel", "patched", "--flash-budget", "8K")
    ended = optimize(rootfs, image, "--port", port, *how)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "| | before | after | change |"
    assert "$ tinyprof build" in ended.stderr
    plain = tmp_path / "plain"
    subprocess.run([*PYTHON, "build", rootfs, plain], check=True, capture_output=True)
    assert image.stat().st_size <= plain.stat().st_size + 2 * PAGE_SIZE


def test_a_pty_ends_the_recording_when_its_other_side_closes(
    tmp_path: Path, rootfs: Path, image_file: Path, hello: Hello, program_ids: list[int]
) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    line = b"".join(encode_message(it, seq) for seq, it in enumerate(day(hello, program_ids)))
    capture = tmp_path / "out.tpcap"
    words = ["--port", os.ttyname(slave), "--flashed", str(image_file)]
    command = [*PYTHON, "optimize", str(rootfs), str(tmp_path / "out.cramfs"), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert os.read(master, 1) == b"\0"
        os.write(master, line)
        while capture.stat().st_size < len(line):
            os.sched_yield()
        os.close(slave)
        os.close(master)
        _, said = running.communicate(timeout=100)
    assert running.returncode == 0, said
    assert "went away" not in said


@pytest.mark.parametrize("residency", [False, True])
def test_a_target_whose_epochs_never_end_asks_for_a_duration(
    tmp_path: Path, rootfs: Path, hello: Hello, residency: bool
) -> None:
    source = TouchSource(RESIDENCY, 0, 0, 0, late=True) if residency else None
    endless = replace(hello, source=source, epoch_ms=1000 if residency else 0)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.write(master, encode_message(endless, 0))
    image, port = tmp_path / "out.cramfs", os.ttyname(slave)
    ended = optimize(rootfs, image, "--port", port)
    assert ended.returncode == 1
    assert "one epoch that never ends" in ended.stderr
    assert not (tmp_path / "out.tpcap").exists()
    os.write(master, encode_message(endless, 0))
    ended = optimize(rootfs, image, "--port", port, "--duration", "100ms")
    assert "one epoch that never ends" not in ended.stderr
    assert (tmp_path / "out.tpcap").exists()
    os.close(master)
    os.close(slave)


def test_a_recorded_target_whose_epochs_never_end_has_an_end(
    tmp_path: Path, rootfs: Path, index: ImageIndex, hello: Hello, program_ids: list[int]
) -> None:
    story = day(replace(hello, epoch_ms=0), program_ids)
    port = played(tmp_path, index, story)
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--port", port)
    assert ended.returncode in (0, 3), ended.stderr
    assert (tmp_path / "out.cramfs").exists()


def test_a_recording_without_a_steady_state_is_for_the_user_to_look_at(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    image = tmp_path / "out.cramfs"
    ended = optimize(rootfs, image, "--port", f"sim:{capture}")
    assert ended.returncode == 3
    assert "the steady state was not seen" in ended.stderr
    assert image.exists()


def test_a_budget_that_nothing_fits_in_fails_and_leaves_no_image(
    tmp_path: Path, rootfs: Path, port: str
) -> None:
    image = tmp_path / "out.cramfs"
    ended = optimize(rootfs, image, "--port", port, "--image-size", "1K")
    assert ended.returncode == 1
    assert "nothing fits" in ended.stderr
    assert not image.exists()


def test_a_recording_is_never_overwritten(tmp_path: Path, rootfs: Path, port: str) -> None:
    (tmp_path / "out.tpcap").write_bytes(b"a day's work")
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--port", port)
    assert ended.returncode == 1
    assert "out.tpcap exists" in ended.stderr
    assert (tmp_path / "out.tpcap").read_bytes() == b"a day's work"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --port or --board"),
        (["--port", "sim:", "--board", "board"], "give --port or --board"),
        (["--board", "board", "--flashed", "x"], "--flashed goes with --port"),
        (["--port", "sim:", "--workload", "true"], "go with --board"),
        (["--board", "board", "--workload", 'echo "x"'], "one line without"),
        (["--board", "board", "--workload", "a\nb"], "one line without"),
        (["--board", "board", "--workload", "a" * 401], "more than 400 characters"),
        (["--board", "board", "--board-words", "'--mem 32"], "--board-words: No closing"),
        (["--port", "sim:", "--image-size", "1M", "--save-ram", "1M"], "exclude one another"),
    ],
)
def test_words_that_make_no_loop_are_a_matter_of_usage(
    tmp_path: Path, rootfs: Path, words: list[str], said: str
) -> None:
    ended = optimize(rootfs, tmp_path / "out.cramfs", *words)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert said in line


def test_files_beside_the_image_are_not_put_into_the_root_filesystem(
    rootfs: Path, port: str
) -> None:
    ended = optimize(rootfs, rootfs / "out.cramfs", "--port", port)
    assert ended.returncode == 1
    assert [path.name for path in rootfs.iterdir()] == ["program"]


def test_a_board_needs_the_agent_in_the_root_filesystem(tmp_path: Path, rootfs: Path) -> None:
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--board", "board")
    assert ended.returncode == 1
    assert "has no /sbin/tinyprof-agent" in ended.stderr


@pytest.mark.parametrize("name", ["out.cramfs", "out.plain.cramfs", "out.json"])
def test_the_image_in_flash_is_never_replaced(
    tmp_path: Path, rootfs: Path, port: str, name: str
) -> None:
    flashed = tmp_path / name
    flashed.write_bytes(b"in flash")
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--port", port, "--flashed", flashed)
    assert ended.returncode == 1
    assert "is read here and would be replaced" in ended.stderr
    assert "$ tinyprof" not in ended.stderr
    assert flashed.read_bytes() == b"in flash"


def test_a_root_filesystem_that_is_no_folder_is_refused_before_anything_runs(
    tmp_path: Path, port: str
) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        ended = optimize(tmp_path / name, tmp_path / "out.cramfs", "--port", port)
        assert ended.returncode == 1
        assert f"{name} is no folder" in ended.stderr
        assert "$ tinyprof" not in ended.stderr


def test_a_capture_that_exists_is_refused_before_the_board_boots(
    tmp_path: Path, rootfs: Path
) -> None:
    (rootfs / "sbin").mkdir()
    (rootfs / "sbin/tinyprof-agent").write_bytes(b"agent")
    (tmp_path / "out.tpcap").touch()
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--board", tmp_path / "no board")
    assert ended.returncode == 1
    assert "out.tpcap exists" in ended.stderr
    assert "$ " not in ended.stderr
    assert not (tmp_path / "out.plain.cramfs").exists()


def test_a_board_that_fails_is_told_with_its_last_words(tmp_path: Path, rootfs: Path) -> None:
    (rootfs / "sbin").mkdir()
    (rootfs / "sbin/tinyprof-agent").write_bytes(b"agent")
    board = tmp_path / "board"
    board.write_text("#!/bin/sh\necho 'board: no kernel here' >&2\nexit 1\n")
    board.chmod(0o755)
    ended = optimize(rootfs, tmp_path / "out.cramfs", "--board", board)
    assert ended.returncode == 1
    assert "the board failed: no kernel here" in ended.stderr


REPORT = "report Cached 500\nreport Shmem 100\nreport pgfault 7\nreport pgmajfault 3\n"


@pytest.mark.parametrize(
    ("console", "said"),
    [
        (f"{REPORT}report uptime 1.5\nreport workload done", ""),
        (f"{REPORT}report uptime 1.5", "no finished workload"),
        (f"{REPORT}report workload done", "no proper figure"),
        (f"{REPORT}report uptime nan\nreport workload done", "no proper figure"),
        (f"{REPORT}report uptime 1.2.3\nreport workload done", "no proper figure"),
    ],
)
def test_a_guests_report_is_measured_or_the_fault_is_told(
    tmp_path: Path, image_file: Path, console: str, said: str
) -> None:
    program = tmp_path / "board"
    program.write_text(f"#!/bin/sh\ncat << END\n{console}\nEND\n")
    program.chmod(0o755)
    board, path = BoardCommand(program), tmp_path / "console"
    if said:
        with pytest.raises(TinyprofError, match=said):
            board.measured(image_file, "mainline", path)
        return
    measured = board.measured(image_file, "mainline", path)
    assert (measured.page_cache_kib, measured.major_faults, measured.faults) == (400, 3, 7)
    assert measured.guest_seconds == 1.5


def events(messages: Iterable[Message]) -> Any:
    line = b"".join(encode_message(message, seq) for seq, message in enumerate(messages))
    return FrameDecoder().feed(line)


@pytest.mark.parametrize(("wanted", "enough"), [(3.0, True), (5.5, False), (None, False)])
def test_the_steady_state_is_enough_once_it_was_seen_for_so_long(
    hello: Hello, program_ids: list[int], wanted: float | None, enough: bool
) -> None:
    watch = SteadyWatch(wanted)
    watch.take(events(day(hello, program_ids)))
    assert watch.seconds == 4.0
    assert watch.is_enough() is enough


def test_start_up_is_not_the_steady_state(hello: Hello, program_ids: list[int]) -> None:
    watch = SteadyWatch(1.0)
    watch.take(events(day(hello, program_ids, "start-up")[:6]))
    assert watch.seconds == 0.0


@pytest.fixture
def outcome() -> Callable[..., Outcome]:
    def make(before: int, after: int, predicted: int) -> Outcome:
        boots = [Measured("it", "mainline", 1, kib, 1, 1, 1.0) for kib in (before, after)]
        prediction = {"page_cache": predicted << 10, "page_cache_before": before << 10}
        plan = {"prediction": prediction, "match": {"pages": {"unmatched": 0}}}
        return Outcome("mainline", plan, boots, True, False)

    return make


@pytest.mark.parametrize(("booted", "faults"), [(119, 0), (121, 1), (79, 1)])
def test_a_prediction_that_is_off_by_more_than_two_percent_is_told(
    outcome: Callable[..., Outcome], booted: int, faults: int
) -> None:
    assert len(list(outcome(1000, booted, 100).faults())) == faults
