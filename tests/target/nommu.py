# SPDX-License-Identifier: MIT
"""The machine without an MMU: its programs built, its root filesystem as an image, and what its
guest said of its processes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from qemu_board.busybox import Busybox
from qemu_board.fdpic import EMULATION
from qemu_board.flat import flat_program
from target import booting
from target.booting import ROOT, board
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

ARCH = ("--arch", "armv7m")
VERSIONS = ("6.1", "6.12")
"""Kernels that are built for this machine: make kernels."""

FLASH = range(0x2000_0000, 0x2040_0000)
"""Addresses of the board's flash."""

AGENT = ROOT / "agent"
GUEST = Path(__file__).with_name("guest") / "nommu"
CODE = ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft", "-Os", "-Wall", "-Wextra", "-Werror")
ALONE = ("-ffreestanding", "-fomit-frame-pointer", "-fno-tree-loop-distribute-patterns")
FLAT = ("-fpic", "-msingle-pic-base", "-mpic-register=r10", "-mno-pic-data-is-text-relative")
SCRIPT = AGENT / "flat.ld"
LINK = ("-nostdlib", "-static", "-no-pie", "-Wl,--emit-relocs,--build-id=none", "-T", SCRIPT)

FDPIC = ("-mfdpic", "-Wa,--fdpic")
FDPIC_PROGRAMS = {"fdpic-one": 7_000, "fdpic-two": 3_000}

PROGRAMS = {"init": 0, "daemon": 24_000, "setup": 9_000, "other": 1_500, "worker": 5_000}
"""Words of the text that each program has beside its code."""


def at_hand(version: str, *, stock: bool) -> pytest.MarkDecorator:
    """Skips where this machine's kernel of a version would have to be built."""
    return booting.at_hand(version, ARCH[1], kinds=[stock], target="kernels")


def flat_guest(folder: Path, name: str, words: int) -> bytes:
    """A program of tests/target/guest/nommu as bFLT."""
    source = GUEST / (f"{name}.c" if (GUEST / f"{name}.c").exists() else "work.c")
    elf = folder / f"{name}.elf"
    include = ("-I", AGENT / "armv7m", "-I", AGENT, "-I", GUEST)
    uapi = ("-idirafter", ROOT / "firmware/linux/overlay/include/uapi")
    filler = [f'-DWORDS="{words}"'] if words else []
    sources = (source, AGENT / "freestanding.c")
    command: list[str | Path] = ["arm-linux-gnueabihf-gcc", *CODE, *ALONE, *FLAT, *include, *uapi]
    subprocess.run([*command, *filler, *LINK, "-o", elf, *sources], check=True)
    return flat_program(elf.read_bytes(), stack=4096)


def fdpic_guest(folder: Path, linker: Path, name: str, words: int = 0) -> bytes:
    """A program as FDPIC, or with the name "library" the shared library of such programs."""
    parts = ["library.S", "library.c"] if name == "library" else ["fdpic.S", "fdpic.c"]
    include = ("-I", AGENT / "armv7m", "-I", GUEST)
    command: list[str | Path] = ["arm-linux-gnueabihf-gcc", *CODE, *ALONE, *FDPIC, *include]
    command += [f'-DWORDS="{words}"'] if words else []
    objects = [folder / f"{name}-{part}.o" for part in parts]
    for part, made in zip(parts, objects, strict=True):
        subprocess.run([*command, "-c", "-o", made, GUEST / part], check=True)
    linked = folder / f"{name}.fdpic"
    link: list[str | Path] = [linker, "-m", EMULATION, "-static", "-z", "stack-size=8192"]
    subprocess.run([*link, "-o", linked, *objects], check=True)
    return linked.read_bytes()


def root_of(folder: Path, linker: Path | None = None, busybox: Busybox | None = None) -> Path:
    """The root filesystem: the guest's programs, and the agent. Without a linker for them there
    are no FDPIC programs, and without busybox no jobs for it. The guest goes on without them."""
    top = folder / "root"
    for name in ("dev", "proc", "sbin", "bin", "lib"):
        (top / name).mkdir(parents=True)
    found = {
        f"{'sbin' if name == 'init' else 'bin'}/{name}": flat_guest(folder, name, words)
        for name, words in PROGRAMS.items()
    }
    found["sbin/tinyprof-agent"] = Path(board("agent", *ARCH)).read_bytes()
    if linker:
        found["lib/libguest.so"] = fdpic_guest(folder, linker, "library")
        for name, words in FDPIC_PROGRAMS.items():
            found[f"bin/{name}"] = fdpic_guest(folder, linker, name, words)
    if busybox:
        busybox.install(top)
        found["bin/jobs"] = (GUEST / "jobs.sh").read_bytes()
    for path, data in found.items():
        (top / path).write_bytes(data)
        (top / path).chmod(0o755)
    return top


def image_of(
    root: Path, image: Path, in_place: Mapping[str, Sequence[int]], kernel: KernelModel = "nommu"
) -> Path:
    """An image of the root filesystem with these pages in place."""
    how = WriteOptions(kernel=kernel)
    image.write_bytes(write_image(Tree.from_directory(root), in_place, how).image)
    return image


@dataclass(frozen=True, slots=True)
class Shown:
    """A mapping as /proc/PID/maps shows it."""

    pid: int
    first: int
    end: int
    permissions: str
    path: str

    @property
    def in_flash(self) -> bool:
        """Whether it lies in the board's flash."""
        return self.first in FLASH and self.end - 1 in FLASH


MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ([rwxpsS-]{4}) [0-9a-f]+ \S+ \d+ +(\S+)")


def shown_mappings(console: str) -> list[Shown]:
    """The mappings of all processes that the guest's init shows."""
    found, pid = [], 0
    for line in console.splitlines():
        if match := re.match(r"process: (\d+)", line):
            pid = int(match[1])
        elif match := MAPPING.match(line):
            found.append(Shown(pid, int(match[1], 16), int(match[2], 16), match[3], match[4]))
    return found


def memory(console: str) -> dict[str, int]:
    """/proc/meminfo in KiB."""
    rows = re.findall(r"^(\w+): +(\d+) kB", console, re.MULTILINE)
    return {name: int(number) for name, number in rows}


def lives(console: str) -> dict[str, list[tuple[int, int]]]:
    """The first and the last millisecond of each process, by its program, as the guest says."""
    begun: dict[str, list[int]] = {}
    ended: dict[str, list[int]] = {}
    for event, path, ms in re.findall(r"truth: (begin|end) (\S+) (\d+)", console):
        (begun if event == "begin" else ended).setdefault(path, []).append(int(ms))
    forever = 1 << 31
    return {
        path: [
            (first, last)
            for first, last in zip(
                sorted(starts),
                [*sorted(ended.get(path, [])), *[forever] * len(starts)],
                strict=False,
            )
        ]
        for path, starts in begun.items()
    }
