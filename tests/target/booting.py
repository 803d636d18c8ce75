# SPDX-License-Identifier: MIT
"""A real kernel in QEMU: the board's commands, images booted, recordings made of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from qemu_board.architecture import ARCHITECTURES
from qemu_board.cache import key_of
from qemu_board.kernel import kernel_at_hand, versions
from qemu_board.kernel_source import SUITES, archive_at_hand
from qemu_board.machine import SEED_MAX
from qemu_board.packages import version_of
from support.commands import PYTHON
from support.extent import ALL
from support.remembered import kept_under
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE
from tinyprof.wire.messages import Message
from tinyprof.wire.sequence import Frame

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/board/board"
BOARD_SOURCES = sorted([BOARD, *(ROOT / "firmware/board/qemu_board").glob("*.py")])
TINYPROF = [*PYTHON]
TIMEOUT = ("--timeout", "600")
"""Ends a guest that hangs. No guest takes as long, however slow the machine."""

ONE_WAY = ("--one-way",)
"""Options of a recording whose agent waits for nobody."""

RECORD_FROM_THE_START = "init=/sbin/tinyprof-agent cramfs.tinyprof=1"


PAGES = 48
PATTERN = b"".join(bytes([page + 1]) * PAGE_SIZE for page in range(PAGES))[: -PAGE_SIZE // 2]


def built_with(version: str) -> object:
    """A kernel version as a test's parameter, skipped where its source is not installed, or, for
    one that is fetched, its kernels are not in the cache."""
    if version in SUITES and not ALL:
        return pytest.param(version, marks=pytest.mark.skip(reason="make test-all boots it"))
    if version in SUITES:
        return pytest.param(version, marks=at_hand(version))
    missing = archive_at_hand(version) is None
    reason = f"no linux-source-{version}"
    return pytest.param(version, marks=pytest.mark.skipif(missing, reason=reason))


def at_hand(
    version: str,
    arch: str = "armhf",
    *,
    kinds: Sequence[bool] | None = None,
    target: str = "kernels-all",
) -> pytest.MarkDecorator:
    """Skips where kernels of a version would have to be built, which that target of make does.

    The kinds are the stock kernel (True) and the patched one (False): without any, both of armhf,
    and the patched one of another architecture.
    """
    if kinds is None:
        kinds = (False, True) if arch == "armhf" else (False,)
    machine = ARCHITECTURES[arch]
    found = [kernel_at_hand(version, stock=stock, machine=machine) for stock in kinds]
    reason = f"no Linux {version} for {arch} in the cache: make {target}"
    return pytest.mark.skipif(None in found, reason=reason)


KERNELS = [built_with(version) for version in versions()]


def leave_to_test_all(version: str) -> None:
    """Skip all kernels but 6.1 in `make test`: for a test that takes long, and of which other
    tests boot the other kernels."""
    if version != "6.1" and not ALL:
        pytest.skip("make test-all boots it")


def board(*words: str | Path) -> str:
    """Run a board command that must succeed; its last line on stdout."""
    run = subprocess.run([BOARD, *words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


def _time(words: Sequence[str]) -> tuple[str, ...]:
    """Guest time by instructions, which is for one processor."""
    return () if "--cpus" in words else ("--icount",)


def _word_after(words: Sequence[str], option: str, otherwise: str) -> str:
    """What an option of the board is given."""
    return words[words.index(option) + 1] if option in words else otherwise


def boot(image: Path, *words: str) -> str:
    """Boot until the guest reboots; what it printed on its console.

    Where time is counted by instructions, the same image does the same on the same kernel with
    the same random seed, but for amd64, whose processor has random numbers of its own. The
    console of such a boot is kept (support/remembered.py). Its seed comes from its inputs. `make
    test-all` boots with random ones. A benchmark keeps nothing.
    """
    machine = ARCHITECTURES[_word_after(words, "--arch", "armhf")]
    version = _word_after(words, "--version", "6.1")
    kernel = kernel_at_hand(version, stock="--stock" in words, machine=machine)
    again = kernel and kernel.device_tree and _time(words)
    if not kernel or not again or ALL or "PYTEST_CURRENT_TEST" not in os.environ:
        return _booted(image, *words)
    qemu = (f"{name} {version_of(name)}" for name in machine.qemu_packages)
    parts = (kernel.image, kernel.device_tree, kernel.reset)
    inputs = [image, Path(__file__), *BOARD_SOURCES, *(part for part in parts if part)]
    key = key_of(["boot", *qemu, *_time(words), *words], inputs)
    seed = str(int(key, 16) % (SEED_MAX + 1))
    print(f"seed {seed}")
    return kept_under(key, lambda: _booted(image, "--seed", seed, *words))


def _booted(image: Path, *words: str) -> str:
    run = subprocess.run(
        [BOARD, "run", image, *_time(words), *TIMEOUT, *words],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert run.returncode == 0, f"{run.stderr}\n{run.stdout[-2000:]}"
    return run.stdout


@dataclass(frozen=True, slots=True)
class Recording:
    """The result of `tinyprof record` on a boot, and the words of the guest meanwhile."""

    capture: Path
    code: int
    said: str
    console: str


def record(
    image: Path, capture: Path, *words: str, options: tuple[str | Path, ...] = ()
) -> Recording:
    """Boot an image and record it over a pty; `words` go to the board, `options` to tinyprof.

    An agent that is answered waits for the recorder while its window is full. The guest's clock
    runs on, for it counts instructions and leaps over idle time. So its epochs are as long as the
    recorder is slow: tests that count epochs record with ONE_WAY.
    """
    command: list[str | Path] = [BOARD, "run", image, *_time(words), *TIMEOUT, "--serial", "pty"]
    command += words
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as running:
        assert running.stdout
        assert running.stderr
        port = next((line.split()[-1] for line in running.stderr if "line is" in line), "")
        recorder = subprocess.Popen(
            [*TINYPROF, "record", port, "-o", capture, *options], stderr=subprocess.PIPE, text=True
        )
        console = running.stdout.read()
        _, said = recorder.communicate()
        board_said = running.stderr.read()
    assert running.returncode == 0, f"{board_said}\n{console[-2000:]}"
    return Recording(capture, recorder.returncode, said, console)


def pattern_image(
    folder: Path,
    program: Path,
    in_place: Sequence[int],
    others: Mapping[str, Path] | None = None,
    pattern: bytes = PATTERN,
) -> Path:
    """An image of /pattern, byte n + 1 throughout page n, with a program as its init, and other
    programs."""
    top = folder / "root"
    for name in ("dev", "mnt", "proc", "sbin"):
        (top / name).mkdir(parents=True, exist_ok=True)
    (top / "pattern").write_bytes(pattern)
    for name, source in {"sbin/init": program, **(others or {})}.items():
        (top / name).write_bytes(source.read_bytes())
        (top / name).chmod(0o755)
    image = folder / "image"
    image.write_bytes(
        write_image(Tree.from_directory(top), {"/pattern": in_place}, WriteOptions()).image
    )
    return image


def pattern_of(image: Path) -> Entry:
    """/pattern in such an image."""
    return next(
        entry for entry in read_image(image.read_bytes()).entries if entry.path == "/pattern"
    )


def messages(capture: Path) -> list[Message]:
    """The messages of a capture's frames, in their sequence."""
    with capture.open("rb") as file:
        return [
            event.message for event in CaptureReader(file).events() if isinstance(event, Frame)
        ]


@dataclass(frozen=True, slots=True)
class Demo:
    """The folder that `make demo` leaves behind, and the words that it printed."""

    folder: Path
    printed: str
