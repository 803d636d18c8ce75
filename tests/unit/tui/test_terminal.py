# SPDX-License-Identifier: MIT
"""The real program in a real terminal (tmux) against a target on a pty."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import PYTHON
from tinyprof.capture.format import Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.plan.plan_file import load_plan
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello

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


def test_a_recording_is_seen_filtered_planned_and_left_with_a_whole_capture(
    tmp_path: Path, rootfs: Path, line: bytes, target: tuple[int, str]
) -> None:
    image, capture = tmp_path / "image", tmp_path / "it.tpcap"
    image.write_bytes(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)
    run = [*PYTHON]
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
        assert (reader.ending, reader.cut_at) == (Ending.LEFT, None)
    assert capture.with_suffix(".plan").exists()
    report = subprocess.run(
        [*run, "report", capture], check=True, capture_output=True, text=True
    ).stdout
    assert re.search(
        r"^  from epoch [4-6]: booted, [2-5] epochs, .*steady state$", report, re.MULTILINE
    ), report


def test_the_story_from_a_simulated_target_to_an_image(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    again = tmp_path / "again.tpcap"
    run = [*PYTHON]
    words: list[str | Path] = [f"sim:{capture}", "--speed", "0", "--rootfs", rootfs, "-o", again]
    terminal = Terminal(tmp_path, [*run, "record", *words], (100, 30))
    try:
        terminal.screen(lambda text: " recording ended " in text and "/lib/libc.so" in text)
        terminal.keys("/", "l", "i", "b", "c", "Enter")
        terminal.screen(lambda text: "/lib/libc.so" in text and "/bin/busybox" not in text)
        terminal.keys("2", "x")
        terminal.screen(lambda text: "[mainline]" in text and "pages in place" in text)
        terminal.keys("x", "x", "x", "Down", "Down")
        terminal.screen(lambda text: "[patched]" in text and "pages in place" in text)
        terminal.keys("w")
        terminal.screen(lambda text: "written; next: tinyprof build" in text)
        terminal.keys("q")
        terminal.screen(lambda text: "left 0" in text)
    finally:
        terminal.close()
    plan = load_plan(again.with_suffix(".plan").read_text())
    build = [
        *run,
        "build",
        rootfs,
        tmp_path / "image",
        "--no-cache",
        "--plan",
        again.with_suffix(".plan"),
    ]
    assert subprocess.run([*map(str, build)], check=False, capture_output=True).returncode == 0
    image = read_image((tmp_path / "image").read_bytes())
    in_place = {
        block.offset for entry in image.entries for block in image.blocks(entry) if block.in_place
    }
    assert len(in_place) == sum(map(len, plan.values())) > 0


def test_a_board_with_one_port_is_logged_into_while_it_is_recorded(
    tmp_path: Path, hello: Hello, target: tuple[int, str]
) -> None:
    run = [*PYTHON]
    words: list[str | Path] = ["record", target[1], "-o", tmp_path / "it.tpcap"]
    terminal = Terminal(tmp_path, [*run, *words], (100, 30))
    try:
        terminal.screen(lambda text: "[x]" in text and "is open" in text)
        os.write(target[0], b"Welcome\r\nboard login: ")
        terminal.screen(lambda text: "board login:" in text and "text arrives" in text)
        terminal.keys("i")
        terminal.screen(lambda text: "typing to the target" in text)
        terminal.keys(*"root", "Enter")
        sent = b""
        while b"root\r" not in sent:
            sent += os.read(target[0], 4096)
        terminal.keys("C-]")
        terminal.screen(lambda text: "typing to the target" not in text)
        os.write(target[0], encode_message(hello, 0))
        terminal.screen(lambda text: hello.kernel in text)
        terminal.keys("q")
        terminal.screen(lambda text: "left 0" in text)
    finally:
        terminal.close()
