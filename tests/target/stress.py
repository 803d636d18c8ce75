# SPDX-License-Identifier: MIT
"""The stress of a kernel that checks itself: images for guest/stress, one boot, what was found.

Run as a program it is the soak: a family of checkers and seconds in, the result on stdout.
"""

from __future__ import annotations

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from target.booting import BOARD
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SOURCES = Path(__file__).with_name("guest") / "stress"
CROSS_GCC = "aarch64-linux-gnu-gcc"
FAMILIES = {"lockdep": "arm64-lockdep", "kasan": "arm64-kasan"}
"""The boards by the name of their checkers."""

PARTITION = 16 << 20
FLASH_NAME = "4000000.flash"
SLOW_ADDRESS = 0x04000000 + 2 * PARTITION
"""The third partition's place, for a device that does not tell it (phram)."""

FIRST_IDS = {"root": 1, "other": 16, "slow": 32}
"""By volume, the id of its first file, as in main.c."""

WORDS = (
    f"init=/sbin/init mtdparts={FLASH_NAME}:16m(root),16m(other)"
    f" phram.phram=slow,{SLOW_ADDRESS:#x},{PARTITION:#x}"
    " hung_task_panic=0 log_buf_len=1M"
)

SPLATS = re.compile(
    r"BUG:|WARNING:|INFO: task|INFO: rcu|rcu: INFO|KASAN|UBSAN|Oops|kernel BUG|Internal error"
    r"|Bad page|Bad rss|ODEBUG|possible (?:circular|recursive)|inconsistent lock|suspicious RCU"
    r"|sleeping function|soft lockup|Kernel panic|Unable to handle|list_(?:add|del) corruption"
)
"""Ways in which a kernel begins to say that something is wrong."""


TAINTED = re.compile(r"tainted (\d+)$")
BAD = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14
"""Bits of /proc/sys/kernel/tainted: a bad page, an oops, a warning, a lockup. phram sets another
one."""


@dataclass(frozen=True, slots=True)
class Stressed:
    """The result of one boot: `counts` of operations by name, `found` the lines that say that
    something is wrong, `ended` whether the program came to its end."""

    console: str
    counts: Mapping[str, int]
    found: tuple[str, ...]
    ended: bool


def program(folder: Path) -> Path:
    """The stress program, static, for arm64."""
    made = folder / "stress"
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-static", "-pthread"]
    subprocess.run([CROSS_GCC, *flags, "-o", made, *sorted(SOURCES.glob("*.c"))], check=True)
    return made


def content(file_id: int, size: int) -> bytes:
    """A file whose every word is its id and the word's number."""
    words = (size + 3) // 4
    return struct.pack(f"<{words}I", *(file_id << 24 | word for word in range(words)))[:size]


def in_place(random: Random) -> dict[str, tuple[int, Collection[int]]]:
    """Files by name: their size in bytes, and their pages in place."""
    huge = (2 << 20) // PAGE_SIZE
    big = 2 * huge + 256
    return {
        "none": (48 * PAGE_SIZE - 1236, ()),
        "half": (96 * PAGE_SIZE, range(0, 96, 2)),
        "all": (64 * PAGE_SIZE - 2000, range(64)),
        "runs": (200 * PAGE_SIZE - 4, [page for page in range(200) if random.random() < 0.5]),
        "big": (big * PAGE_SIZE, [*range(huge, 2 * huge, 5), *range(2 * huge, big)]),
        "witness": (128 * PAGE_SIZE, range(0, 128, 2)),
    }


def volume(folder: Path, stress: Path, first_id: int, seed: int) -> bytes:
    """An image with the files, and the program, of which every second page is in place too."""
    top = folder / f"volume-{first_id}"
    for name in ("dev", "files", "proc", "sbin", "sys", "tmp"):
        (top / name).mkdir(parents=True)
    (top / "sbin/init").write_bytes(stress.read_bytes())
    (top / "sbin/init").chmod(0o755)
    wanted: dict[str, Collection[int]] = {
        "/sbin/init": range(0, stress.stat().st_size // PAGE_SIZE, 2)
    }
    for number, (name, (size, pages)) in enumerate(in_place(Random(seed)).items()):
        (top / "files" / name).write_bytes(content(first_id + number, size))
        wanted[f"/files/{name}"] = pages
    options = WriteOptions()
    return write_image(Tree.from_directory(top), wanted, options).image


def flash(folder: Path, seed: int) -> Path:
    """All three volumes, each in its partition."""
    stress = program(folder)
    image = folder / "flash"
    with image.open("wb") as file:
        for number, first_id in enumerate(FIRST_IDS.values()):
            file.seek(number * PARTITION)
            data = volume(folder, stress, first_id, seed)
            assert len(data) <= PARTITION
            file.write(data)
    return image


def look_through(console: str) -> Stressed:
    """What a console has to say."""
    lines = [line.rstrip() for line in console.splitlines()]
    found = [line for line in lines if SPLATS.search(line)]
    found += [line for line in lines if re.match(r"(bad|hang|leak) ", line)]
    found += [line for line in lines if (taints := TAINTED.match(line)) and int(taints[1]) & BAD]
    counts = {
        name: int(times)
        for name, times in re.findall(r"^count (\w+) (\d+) \d+\r?$", console, re.MULTILINE)
    }
    return Stressed(console, counts, tuple(found), "stress done" in console)


def stress(family: str, seconds: int, seed: int, *words: str) -> Stressed:
    """Boot the checkers' kernel with four processors and stress it for some of its seconds."""
    environment = f"STRESS_SECONDS={seconds} STRESS_SEED={seed}"
    with tempfile.TemporaryDirectory(prefix="tinyprof-stress-") as folder:
        command: list[str | Path] = [BOARD, "run", flash(Path(folder), seed)]
        command += ["--arch", FAMILIES[family], "--cpus", "4", "--mem", "160"]
        command += ["--timeout", str(600 + 4 * seconds), "--append", f"{WORDS} {environment}"]
        run = subprocess.run(
            [*command, *words], capture_output=True, text=True, errors="replace", check=False
        )
    return look_through(run.stdout + ("" if run.returncode == 0 else f"\nbad boot: {run.stderr}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--seconds", type=int, default=1800, help="of the guest's time (1800)")
    parser.add_argument("--seed", type=int, default=1, help="for all choices (1)")
    parser.add_argument("--console", type=Path, help="keep the guest's console here")
    parser.add_argument("--version", default="6.1", help="kernel version (6.1)")
    words = parser.parse_args()
    result = stress(words.family, words.seconds, words.seed, "--version", words.version)
    if words.console:
        words.console.write_text(result.console)
    print(f"{words.version} {words.family}, {words.seconds} s, seed {words.seed}")
    for name, times in result.counts.items():
        print(f"{times:>12,} {name}")
    print(*result.found or ["nothing found"], sep="\n")
    return 0 if result.ended and not result.found else 1


if __name__ == "__main__":
    sys.exit(main())
