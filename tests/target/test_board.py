# SPDX-License-Identifier: MIT
"""The board command as scripts use it: what it prints, and how it ends."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qemu_board import machine
from qemu_board.kernel import kernel
from qemu_board.line import NoLine
from target.booting import BOARD, board, pattern_image


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BOARD, *words],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **environment},
    )


def test_kernels_come_from_the_cache_and_differ_by_our_patch() -> None:
    stock, patched = (Path(board("kernel", *words)) for words in (["--stock"], []))
    assert stock.name == patched.name == "zImage"
    assert stock != patched
    # Both are configured alike but for our two switches.
    lines = [set((path.parent / "config").read_text().splitlines()) for path in (stock, patched)]
    ours = {line for line in lines[1] - lines[0] if line.startswith("CONFIG_")}
    assert ours == {"CONFIG_CRAMFS_XIP_FAULT=y", "CONFIG_CRAMFS_TINYPROF=y"}
    assert {line for line in lines[0] - lines[1] if line.startswith("CONFIG_")} == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "/none-such"], "/none-such: No such file"),
        (["run", "/dev/zero"], "/dev/zero is no regular file"),
        (["run", "/dev/null", "--serial", "carrier-pigeon"], "write pty or unix:PATH"),
        (["rootfs", "/dev"], "not an empty folder"),
        (
            ["run", "/dev/null", "--arch", "arm64", "--stock", "--serial", "pty"],
            "no other serial port",
        ),
        (["run", "/dev/null", "--arch", "armv7m", "--mem", "17"], "at most 16 MiB"),
        (["agent", "--arch", "riscv64"], "no agent of its own for riscv64"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], said: str) -> None:
    ended = run(*words)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("board: ")
    assert said in line


@pytest.mark.parametrize("mem", ["0", "-5", "64M", str(1 << 44)])
def test_no_amount_of_ram_is_a_matter_of_usage(mem: str) -> None:
    ended = run("run", "/dev/null", "--mem", mem)
    assert ended.returncode == 2
    assert "--mem" in ended.stderr.splitlines()[-1]


def test_an_image_larger_than_the_flash_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        file.truncate((64 << 20) + 1)
    ended = run("run", tmp_path / "image")
    assert ended.returncode == 1
    assert "flash holds 67108864" in ended.stderr


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text("#!/bin/sh\nexit 1\n")
    query.chmod(0o755)
    ended = run("kernel", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert ended.returncode == 1
    assert (
        "apt-get install --no-install-recommends linux-source-6.1 gcc-arm-linux-gnueabihf"
        in ended.stderr
    )


def test_the_same_seed_is_the_same_boot_to_the_byte(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    image = pattern_image(tmp_path, guest("random"), [])
    first, again, other = (run("run", image, "--icount", "--seed", seed) for seed in "778")
    assert "random" in first.stdout
    assert first.stdout == again.stdout
    assert first.stdout != other.stdout


def test_what_is_no_cramfs_panics_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"no cramfs" * 1000)
    ended = run("run", tmp_path / "image", "--icount")
    assert ended.returncode == 1
    assert "the guest's kernel panicked" in ended.stderr
    assert "Kernel panic" in ended.stdout


def test_a_guest_that_does_not_end_is_stopped_with_124(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    ended = run("run", pattern_image(tmp_path, guest("waits"), []), "--timeout", "3")
    assert ended.returncode == 124
    assert "still running after 3 s" in ended.stderr


def test_the_words_of_a_guest_whose_time_is_up_are_passed_on(
    tmp_path: Path,
    guest: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """The time is up once the guest has said its word, however slow this machine is. A guest that
    never says it has two minutes."""
    said = bytearray()
    began = time.monotonic()
    now = time.monotonic

    def clock() -> float:
        said.extend(capfdbinary.readouterr().out)
        return 3.0 if b"waiting" in said or now() - began > 120 else 0.0

    image = pattern_image(tmp_path, guest("waits"), [])
    monkeypatch.setattr("qemu_board.machine.time.monotonic", clock)
    settings = machine.Settings(timeout=3.0)
    code = machine.run(image, kernel("6.1", stock=False), NoLine(), settings)
    assert code == machine.TIMED_OUT
    assert b"waiting" in said
