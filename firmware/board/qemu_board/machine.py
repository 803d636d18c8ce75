# SPDX-License-Identifier: MIT
"""A run of the board: an image in flash and a kernel in, the guest's console out, its agent's line
served.

QEMU speaks to this process over pipes of its own, and this process to whoever listens: what the
agent said before anybody listened waits here, so that a recording may start at any time and still
holds the first byte.
"""

from __future__ import annotations

import os
import random
import selectors
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from qemu_board.architecture import Architecture
from qemu_board.errors import BoardError
from qemu_board.kernel import Kernel
from qemu_board.line import Line, NoLine
from qemu_board.packages import need
from qemu_board.uart import Uart, available

SEED_PLACE = b"random bytes of each run go here"
MEMORY_PLACE = b"mem size"
"""Placeholders in a device tree: for the seed, and for the bytes of RAM, which QEMU does not fill
in there."""

WORDS_PLACE = b"words of each run go here\0"
"""Placeholder in a device tree: for the kernel's command line, where no boot loader adds it."""

PROPERTY_HEAD = 12
"""Bytes of a device tree's token, length and name before the value of a property."""

TOTAL_SIZE, STRINGS_AT, STRUCTURE_SIZE = 4, 12, 36
"""Places of numbers in a device tree's header that change when its structure grows."""

TIMED_OUT = 124
PANIC = b"Kernel panic - not syncing"
SEED_MAX = (1 << 31) - 1
"""The largest seed of a run."""

TYPED_MAX = 1 << 16
"""Bytes. While as many wait for the guest, no more are taken from the listener."""

POLL_SECONDS = 0.5
GRACE_SECONDS = 30.0
"""How long a listener may take to fetch the next bytes after the guest has ended. A busy machine
may take seconds until it has started a listener."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: RAM in KiB, words for the kernel's command line, host seconds at most (0: no
    limit), processors, words for QEMU, and the seed of all that is random (None: another one each
    time)."""

    mem: int = 64 << 10
    append: str = ""
    timeout: float = 0.0
    icount: bool = False
    cpus: int = 1
    qemu: str = ""
    seed: int | None = None


class _QemuFailed(Exception):
    """QEMU ended by itself, and not because the guest was done."""


def run(image: Path, kernel: Kernel, line: Line, settings: Settings) -> int:
    """Boot and wait: 0 when the guest reboots or powers off, 124 when the time is up.

    Raises BoardError for an image that does not fit, a kernel panic, or a QEMU that fails.
    """
    machine = kernel.machine
    need(*machine.qemu_packages)
    with ExitStack() as ends:
        folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="tinyprof-board-"))
        flash = _flash(image, Path(folder), machine.flash_bytes)
        uart = None
        if not isinstance(line, NoLine):
            uart = ends.enter_context(closing(Uart(Path(folder))))
        device_tree = Path(folder) / "board.dtb" if kernel.device_tree else None
        if kernel.device_tree and device_tree:
            completed = _completed(kernel.device_tree.read_bytes(), machine, settings)
            device_tree.write_bytes(completed)
        command = _command(kernel, device_tree, flash, uart, settings)
        # QEMU complains of sound that nobody wants: its words are shown where it fails.
        words = Path(folder) / "qemu.said"
        with words.open("wb") as said:
            qemu = subprocess.Popen(command, stdin=_stdin(), stdout=subprocess.PIPE, stderr=said)
        try:
            return _attend(qemu, uart, line, settings.timeout)
        except _QemuFailed as failed:
            raise BoardError(f"{failed}: {words.read_text(errors='replace').strip()}") from None
        finally:
            qemu.kill()
            qemu.wait()


def _flash(image: Path, folder: Path, capacity: int) -> Path:
    """One bank of NOR flash: QEMU wants a drive of just its size."""
    try:
        facts = image.stat()
        size = facts.st_size
        if not stat.S_ISREG(facts.st_mode):
            raise BoardError(f"{image} is no regular file", "name an image")
        if size > capacity:
            raise BoardError(f"{image} has {size} bytes", f"the board's flash holds {capacity}")
        flash = folder / "flash"
        shutil.copyfile(image, flash)
        os.truncate(flash, capacity)
    except OSError as error:
        raise BoardError(f"{image}: {error.strerror}") from None
    return flash


def _completed(device_tree: bytes, machine: Architecture, settings: Settings) -> bytes:
    """With the RAM's size, the kernel's command line where it has a place, and a seed for each
    run: the board has no source of randomness."""
    if device_tree.count(SEED_PLACE) != 1:
        raise BoardError(
            "the device tree has no place for a random seed", "see firmware/board/machines"
        )
    size = (settings.mem << 10).to_bytes(len(MEMORY_PLACE), "big")
    filled = device_tree.replace(SEED_PLACE, _random_bytes(len(SEED_PLACE), settings.seed))
    filled = filled.replace(MEMORY_PLACE, size)
    if WORDS_PLACE not in filled:
        return filled
    return _with_words(filled, _kernel_words(machine, settings))


def _random_bytes(size: int, seed: int | None) -> bytes:
    return os.urandom(size) if seed is None else random.Random(seed).randbytes(size)


def _with_words(device_tree: bytes, words: str) -> bytes:
    """With the command line in the place of its placeholder.

    The value of a property is padded to four bytes. A longer one moves all behind it, which the
    header's sizes and offsets have to tell (struct fdt_header).
    """
    at = device_tree.index(WORDS_PLACE)
    end = at - -len(WORDS_PLACE) // 4 * 4
    value = words.encode() + b"\0"
    padded = value + bytes(-len(value) % 4)
    head = device_tree[: at - PROPERTY_HEAD + 4] + len(value).to_bytes(4, "big")
    changed = bytearray(head + device_tree[at - 4 : at] + padded + device_tree[end:])
    for place in (TOTAL_SIZE, STRINGS_AT, STRUCTURE_SIZE):
        number = int.from_bytes(changed[place : place + 4], "big") + len(padded) - (end - at)
        changed[place : place + 4] = number.to_bytes(4, "big")
    return bytes(changed)


def _kernel_words(machine: Architecture, settings: Settings) -> str:
    """The kernel's command line. The user's own words come last: what stands behind their " -- "
    is for init."""
    words = f"root=mtd0 rootfstype=cramfs console={machine.console}"
    words += f" mem={settings.mem}K" if machine.memory else ""
    words += f" nr_cpus={settings.cpus}" if machine.cpus > 1 else ""
    return f"{words} {settings.append}".strip()


def _kernel_files(kernel: Kernel, device_tree: Path | None, settings: Settings) -> tuple[str, ...]:
    """QEMU's words for the kernel and its device tree."""
    machine = kernel.machine
    if machine.reset and kernel.reset:
        places = ((machine.reset.kernel, kernel.image), (machine.reset.device_tree, device_tree))
        loaded = (f"loader,addr={at:#x},force-raw=on,file={file}" for at, file in places)
        return ("-kernel", str(kernel.reset), *(w for it in loaded for w in ("-device", it)))
    words = ("-kernel", str(kernel.image), "-append", _kernel_words(machine, settings))
    return (*words, "-dtb", str(device_tree)) if device_tree else words


def _command(
    kernel: Kernel,
    device_tree: Path | None,
    flash: Path,
    uart: Uart | None,
    settings: Settings,
) -> list[str]:
    machine = kernel.machine
    agent = f"pipe,id=agent,path={uart.path}" if uart else "null,id=agent"
    return [
        machine.qemu,
        *(*machine.machine, "-m", f"{machine.memory << 10 or settings.mem}K"),
        *("-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"),
        *_kernel_files(kernel, device_tree, settings),
        *(("-smp", str(settings.cpus)) if settings.cpus > 1 else ()),
        *(word.format(flash) for word in machine.flash),
        *("-chardev", "stdio,id=console,signal=on", "-serial", "chardev:console"),
        *(("-chardev", agent, "-serial", "chardev:agent") if machine.agent_uart else ()),
        *(("-seed", str(settings.seed)) if settings.seed is not None else ()),
        *(("-icount", "shift=3,sleep=off") if settings.icount else ()),
        *shlex.split(settings.qemu),
    ]


def _stdin() -> int | None:
    """A person may type to the guest's console; anything else stays with whom it belongs to."""
    return None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL


class _Console:
    """The guest's console on our stdout, watched for the one thing that a script must not miss."""

    def __init__(self) -> None:
        self._tail = b""
        self.panicked = False

    def show(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._tail = self._tail[-len(PANIC) :] + data
        self.panicked |= PANIC in self._tail


def _attend(qemu: subprocess.Popen[bytes], uart: Uart | None, line: Line, timeout: float) -> int:
    """Move bytes until QEMU has ended and all it said has been passed on, or the time is up."""
    assert qemu.stdout
    said = qemu.stdout.fileno()
    deadline = time.monotonic() + timeout if timeout else float("inf")
    console = _Console()
    takers: dict[int, Callable[[bytes], None]] = {said: console.show}
    typed = bytearray()
    if uart:
        takers[uart.said] = line.send
    while said in takers and not console.panicked:
        if time.monotonic() >= deadline:
            return TIMED_OUT
        seconds = min(POLL_SECONDS, line.patience, deadline - time.monotonic())
        for fd in _ready(takers, line, seconds, listens=len(typed) < TYPED_MAX):
            if data := available(fd):
                takers[fd](data)
            else:
                del takers[fd]
        if uart:
            typed += line.pump(listens=len(typed) < TYPED_MAX)
            uart.type(typed)
    if uart:
        line.send(uart.rest())
    line.drain(GRACE_SECONDS)
    if console.panicked:
        raise BoardError("the guest's kernel panicked", "its last words are above")
    if code := qemu.wait():
        raise _QemuFailed(f"QEMU ended with exit code {code}")
    return 0


def _ready(takers: Iterable[int], line: Line, seconds: float, *, listens: bool) -> list[int]:
    """The descriptors of QEMU that have data. Returns early when the line can go on."""
    with selectors.DefaultSelector() as selector:
        for fd in takers:
            selector.register(fd, selectors.EVENT_READ)
        line.register(selector, listens=listens)
        return [key.fd for key, _ in selector.select(max(0.0, seconds)) if key.fd in takers]
