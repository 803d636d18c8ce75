# SPDX-License-Identifier: MIT
"""A C library for programs without an MMU: Debian's source of musl in, a folder that programs of
the format bFLT are compiled and linked with out.

1. All code is position-independent, and finds its data by r10. So the text has no addresses, and
   can stay in flash.
2. musl's own assembler code for ARM looks for its data at a distance from the text, takes r10 for
   something else, or needs a coprocessor. Where it does, musl's code in C is compiled, or ours of
   firmware/board/nommu is linked first.
3. Debian's compiler brings its arithmetic of 64 bits and of floating point for processors with
   registers for it, but written without them, and without r10.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qemu_board.architecture import ARMHF
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.kernel import FIRMWARE
from qemu_board.packages import need, version_of
from qemu_board.sources import fetch_sources
from qemu_board.tool import output_of

GCC = f"{ARMHF.cross}gcc"
OWN = FIRMWARE / "board/nommu"
OWN_SOURCES = ("start.S", "start.c", "pthread_arch.h")
LINKER_SCRIPT = FIRMWARE.parent / "agent/flat.ld"

CODE = (
    *("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft", "-Os", "-fomit-frame-pointer"),
    *("-fno-stack-protector", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
    *("-ffunction-sections", "-fdata-sections"),
    *("-fpic", "-msingle-pic-base", "-mpic-register=r10", "-mno-pic-data-is-text-relative"),
)
"""The compiler's words for all code of a program."""

LINK = (
    *("-nostdlib", "-static", "-no-pie", "-Wl,--emit-relocs,--build-id=none,--gc-sections"),
    # The compiler's arithmetic is marked as code for other registers, which it does not use.
    *("-Wl,--no-warn-mismatch,-z,noexecstack", "-T", str(LINKER_SCRIPT)),
)

LEFT_OUT = ("aio", "complex", "crypt", "ipc", "math", "mq")
"""Folders of musl's source that are not compiled."""

NUMBERS = ("__fpclassify", "__signbit", "copysign", "fabs", "fmod", "frexp", "scalbn")
"""Functions of its math folder that its other folders call, each also for long double."""

ASSEMBLER = (
    *("exit/arm/__aeabi_atexit.c", "process/arm/vfork.s", "signal/arm/restore.s"),
    *("signal/arm/sigsetjmp.s", "string/arm/__aeabi_memcpy.s", "string/arm/__aeabi_memset.s"),
    *("thread/arm/__unmapself.s", "thread/arm/clone.s"),
)
"""musl's own files for ARM that serve here."""

HEADERS = ("asm", "asm-generic", "linux", "mtd")
"""Folders of the kernel's headers."""


@dataclass(frozen=True, slots=True)
class Library:
    """The folder that programs are compiled and linked with."""

    folder: Path

    @property
    def compiler(self) -> list[str]:
        """The compiler with all words for a program's own code."""
        own = output_of([GCC, "-print-file-name=include"], "the compiler has no headers").strip()
        headers = ("-nostdinc", "-isystem", f"{self.folder}/include", "-isystem", own)
        return [GCC, *CODE, *headers]

    def link(self, objects: Sequence[Path], elf: Path) -> None:
        """Link objects and archives to an ELF program that flat_program() takes. Raises
        BoardError."""
        first = sorted(self.folder.glob("*.o"))
        words: list[str | Path] = [GCC, *CODE, *LINK, "-o", elf, *first, "-Wl,--start-group"]
        words += [*objects, self.folder / "lib/libc.a", "-lgcc", "-Wl,--end-group"]
        output_of(words, f"cannot link {elf.name}")


def libc() -> Library:
    """The library, built if the cache has none: that takes a minute. Raises BoardError."""
    need(*ARMHF.tools, "gcc", "libc6-dev", "make")
    words = (*CODE, *LEFT_OUT, *NUMBERS, *ASSEMBLER, *HEADERS, str(version_of(ARMHF.compiler)))
    folder = cache_root() / "musl" / key_of(words, [OWN / name for name in OWN_SOURCES])
    with locked("musl"):
        if not folder.exists():
            _build(folder)
    return Library(folder)


def compiled_sources(source: Path) -> Iterator[str]:
    """The files of musl's source that are compiled, beside those for ARM."""
    for path in sorted(source.glob("src/**/*.c")):
        folder, *inner = path.relative_to(source / "src").parts[:-1]
        number = folder == "math" and path.stem.removesuffix("l") in NUMBERS
        if inner in ([], ["mallocng"]) and (folder not in LEFT_OUT or number):
            yield f"./{path.relative_to(source)}"


def _build(folder: Path) -> None:
    print("board: building musl for a machine without an MMU", file=sys.stderr, flush=True)
    with appearing(folder) as filling:
        work = filling / "work"
        work.mkdir()
        source = fetch_sources(["musl"], work)["musl"]
        compiler = " ".join([GCC, f"-I{OWN}", *CODE])
        cross = f"CROSS_COMPILE={ARMHF.cross}"
        configure = ["./configure", "--target=arm", "--disable-shared", f"--prefix={filling}"]
        _run([*configure, f"CC={compiler}", cross], source)
        lists = [
            f"BASE_SRCS={' '.join(compiled_sources(source))}",
            f"ARCH_SRCS={' '.join(f'./src/{name}' for name in ASSEMBLER)}",
        ]
        jobs = f"-j{len(os.sched_getaffinity(0))}"
        _run(["make", jobs, *lists, "install-headers", "lib/libc.a"], source)
        (filling / "lib").mkdir()
        (source / "lib/libc.a").rename(filling / "lib/libc.a")
        for name in HEADERS:
            (filling / "include" / name).symlink_to(
                Path("/usr/arm-linux-gnueabihf/include") / name
            )
        for own in (OWN / name for name in OWN_SOURCES if not name.endswith(".h")):
            made = filling / f"{own.name}.o"
            strict = ("-Wall", "-Wextra", "-Werror")
            _run([*Library(filling).compiler, *strict, "-c", "-o", str(made), str(own)], filling)
        shutil.rmtree(work)


def _run(command: list[str], folder: Path) -> None:
    output_of(command, f"{command[0]} failed while musl was built", folder=folder)
