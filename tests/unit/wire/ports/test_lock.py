# SPDX-License-Identifier: MIT
"""Lock files of ports: those of running programs are obeyed, and ours go when we do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyprof.wire.ports.link import LinkError
from tinyprof.wire.ports.lock import PortLock

NAME = "LCK..ttyACM0"


@pytest.fixture
def other() -> Iterator[int]:
    """The id of another process that runs."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate()


def ended() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_names_this_process_in_ten_columns(tmp_path: Path) -> None:
    PortLock("ttyACM0", tmp_path)
    assert (tmp_path / NAME).read_text() == f"{os.getpid():10}\n"


def test_a_released_lock_is_gone(tmp_path: Path) -> None:
    PortLock("ttyACM0", tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_a_program_that_runs_is_obeyed(tmp_path: Path, other: int) -> None:
    (tmp_path / NAME).write_text(f"{other:10}\n")
    with pytest.raises(LinkError, match=rf"ttyACM0 is locked by .* \(process {other}\)"):
        PortLock("ttyACM0", tmp_path)
    assert (tmp_path / NAME).exists()


def test_a_lock_with_a_programs_name_and_user_is_obeyed(tmp_path: Path, other: int) -> None:
    (tmp_path / NAME).write_text(f"{other:10} minicom root\n")
    with pytest.raises(LinkError, match=f"process {other}"):
        PortLock("ttyACM0", tmp_path)


def test_a_lock_of_a_program_that_has_ended_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(f"{ended():10}\n")
    PortLock("ttyACM0", tmp_path)
    assert int((tmp_path / NAME).read_text()) == os.getpid()


def test_a_lock_that_became_anothers_stays(tmp_path: Path, other: int) -> None:
    lock = PortLock("ttyACM0", tmp_path)
    (tmp_path / NAME).write_text(f"{other:10}\n")
    lock.release()
    assert (tmp_path / NAME).exists()


@pytest.mark.parametrize("text", [b"", b"minicom\n", b"\x01\0\0\0", b"-1\n", b"9" * 40])
def test_what_is_no_lock_of_this_kind_stays_and_hinders_nobody(
    tmp_path: Path, text: bytes
) -> None:
    (tmp_path / NAME).write_bytes(text)
    PortLock("ttyACM0", tmp_path).release()
    assert (tmp_path / NAME).read_bytes() == text


def test_a_pipe_in_its_place_stops_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    PortLock("ttyACM0", tmp_path).release()
    assert (tmp_path / NAME).is_fifo()


def test_a_folder_that_is_not_there_means_no_locks(tmp_path: Path) -> None:
    PortLock("ttyACM0", tmp_path / "none").release()
