# SPDX-License-Identifier: MIT
"""A recording overwrites nothing: neither what it reads, nor what was there before."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Message


@pytest.fixture
def line(tmp_path: Path, story: list[Message]) -> Path:
    path = tmp_path / "line"
    path.write_bytes(b"".join(encode_message(it, seq) for seq, it in enumerate(story)))
    return path


def record(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text("record", *words)


@pytest.mark.parametrize("name", ["line", "link", "hard link", "capture", "image", "precious"])
def test_the_consoles_file_is_nothing_that_matters(
    tmp_path: Path, line: Path, image_file: Path, name: str
) -> None:
    (tmp_path / "link").symlink_to(line)
    os.link(line, tmp_path / "hard link")
    (tmp_path / "precious").write_text("precious")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    words: list[str | Path] = ["-o", tmp_path / "capture", "--image", image_file]
    done = record(line, *words, "--console", tmp_path / name)
    assert done.returncode == 1
    assert f"tinyprof: {tmp_path}/{name}" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_consoles_file_has_no_parts_name(tmp_path: Path, line: Path) -> None:
    words = ["-o", str(tmp_path / "it.tpcap"), "--roll", "1h"]
    done = record(line, *words, "--console", tmp_path / "it-7.tpcap")
    assert done.returncode == 1
    assert "is the capture itself" in done.stderr
    assert list(tmp_path.glob("it*")) == []


def test_an_empty_file_and_a_device_take_the_console(tmp_path: Path, line: Path) -> None:
    (tmp_path / "empty").touch()
    for console in (tmp_path / "empty", Path("/dev/null")):
        done = record(line, "-o", tmp_path / f"{console.name}.tpcap", "--console", console)
        assert done.returncode == 0, done.stderr


def test_a_capture_is_never_overwritten(tmp_path: Path, line: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").touch()
    for name in ("dangling", "empty"):
        done = record(line, "-o", tmp_path / name)
        assert (done.returncode, "exists" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "port", ["loop://?logging=x", "loop://?x", "hwgrep://(", "spy://", "x\x1b"]
)
def test_a_port_that_nobody_can_open_is_one_line(tmp_path: Path, port: str) -> None:
    done = record(port, "-o", tmp_path / "capture")
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert "\x1b" not in said
    assert not (tmp_path / "capture").exists()
