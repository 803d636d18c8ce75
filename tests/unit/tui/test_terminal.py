# SPDX-License-Identifier: MIT
"""The real program in a real terminal (tmux) against a target on a pty: what a user reads and keeps."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinyprof.capture import CaptureReader, Ending
from tinyprof.cramfs import Tree, WriteOptions, write_image

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
PATIENCE = 60.0


class Terminal:
    """A tmux of its own, with one command in it."""

    def __init__(self, folder: Path, command: list[str | Path], size: tuple[int, int]) -> None:
        self._socket = folder / "tmux"
        words = shlex.join(map(str, command))
        self._tmux(
            "new-session",
            "-d",
            "-x",
            str(size[0]),
            "-y",
            str(size[1]),
            f"{words}; echo left $?; cat",
        )

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def screen(self, shows: Callable[[str], bool]) -> str:
        """The screen, once it shows what is waited for."""
        until = time.monotonic() + PATIENCE
        while not shows(text := self._tmux("capture-pane", "-p")):
            assert time.monotonic() < until, text
            # The screen is all that can be asked: it says nothing of itself.
            time.sleep(0.05)
        return text

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def target() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_recording_is_seen_filtered_planned_and_left_with_a_whole_capture(
    tmp_path: Path, rootfs: Path, line: bytes, target: tuple[int, str]
) -> None:
    image, capture = tmp_path / "image", tmp_path / "it.tpcap"
    image.write_bytes(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)
    run = [sys.executable, "-c", "from tinyprof.cli import main; main()"]
    command: list[str | Path] = [*run, "record", target[1], "-o", capture, "--image", image]
    terminal = Terminal(tmp_path, command, (100, 30))
    try:
        assert "no target heard yet" in terminal.screen(lambda text: "recording" in text)
        half = len(line) // 2
        os.write(target[0], line[:half])
        terminal.screen(lambda text: "/bin/busybox" in text)
        terminal.keys("m")
        terminal.screen(lambda text: "Its name" in text)
        terminal.keys(*"booted", "Enter")
        terminal.screen(lambda text: "Its name" not in text)
        terminal.keys("4")
        terminal.screen(lambda text: "mark: booted" in text)
        terminal.keys("1")
        os.write(target[0], line[half:])
        seen = terminal.screen(lambda text: "/lib/libc.so" in text and "epoch 8" in text)
        assert "lost: nothing" in seen
        terminal.keys("/", "b", "u", "s", "y", "Enter")
        terminal.screen(lambda text: "/bin/busybox" in text and "/lib/libc.so" not in text)
        terminal.keys("2")
        terminal.screen(lambda text: "pages in place" in text)
        terminal.keys("w")
        terminal.screen(lambda text: "written; next: tinyprof build" in text)
        terminal.keys("q")
        left = terminal.screen(lambda text: "left 0" in text)
    finally:
        terminal.close()
    assert f"{capture.name}: 674 records" in left.replace("\n", "")
    assert "next: tinyprof view" in left
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        assert len(list(reader.events())) > 8
        assert (reader.ending, reader.cut_at) == (Ending.INTERRUPTED, None)
    assert capture.with_suffix(".plan").exists()
    report = subprocess.run([*run, "report", capture], check=True, capture_output=True, text=True).stdout
    assert re.search(r"^  from epoch [4-6]: booted, [2-5] epochs, .*steady state$", report, re.MULTILINE), (
        report
    )
