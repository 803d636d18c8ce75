# SPDX-License-Identifier: MIT
"""Feeds mutated ELF files to the splitter, its proof and the reader of names: failures out.

1. A case is made from its number alone, so any of them can be made again.
2. No case may take more than SECONDS_MAX of processor time or memory_limit() of its size. Calls
   are counted for every STEPS_EVERY-th case.

Run as a program it takes a number of cases: `python tests/support/elf_fuzz.py 100000`.
"""

from __future__ import annotations

import random
import struct
import sys
import time
from dataclasses import replace

from support.cost import steps
from support.elf_cases import any_shape, link
from support.image_fuzz import (
    STEPS_EVERY,
    Failure,
    limit_memory,
    memory_limit,
    run_parallel,
)
from tinyprof.rootfs.elf_names import read_names
from tinyprof.segments.elf import SplitError
from tinyprof.segments.proof import prove
from tinyprof.segments.split import Run, split, undo

BASES = 60
SECONDS_MAX = 2.0
"""Seconds of processor time. No file of a few pages may take longer, however it is made."""

STEPS_MAX = 60_000
"""Calls for a file of a few pages."""

WORDS = (
    0,
    1,
    2,
    3,
    6,
    7,
    52,
    64,
    0xFF,
    0xFFF,
    0x1000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFF000,
    0xFFFFFFFF,
)


def bases() -> list[bytes]:
    """Small files of all shapes, some of them split already."""
    files = [link(replace(any_shape(seed), pages=3)) for seed in range(BASES)]
    for data in list(files):
        try:
            files.append(split(data, [Run(0, 0), Run(2, 2)]).elf)
        except SplitError:
            continue
    return files


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to six changes, most of them where the structure is: at the begin, at the end, in the
    table."""
    broken = bytearray(data)
    wide, order = data[4] == 2, "little" if data[5] == 1 else "big"
    table = int.from_bytes(data[32:40] if wide else data[28:32], order)  # type: ignore[arg-type]
    for _ in range(rng.randrange(1, 7)):
        begin = rng.choice(
            (0, 0, table, table, max(len(broken) - 600, 0), rng.randrange(len(broken)))
        )
        at = min(begin + rng.randrange(500), max(len(broken) - 8, 0))
        match rng.randrange(6):
            case 0:
                broken[at] ^= 1 << rng.randrange(8)
            case 1:
                broken[at] = rng.randrange(256)
            case 2:
                struct.pack_into(rng.choice("<>") + "I", broken, at & ~3, rng.choice(WORDS))
            case 3:
                struct.pack_into(
                    rng.choice("<>") + "H", broken, at & ~1, rng.choice(WORDS) & 0xFFFF
                )
            case 4:
                other = rng.randrange(len(broken))
                size = min(rng.choice((4, 8, 32, 56)), len(broken) - max(at, other))
                broken[at : at + size] = broken[other : other + size]
            case _:
                if rng.random() < 0.1:
                    del broken[rng.randrange(8, len(broken)) :]
        if len(broken) < 16:
            break
    return bytes(broken)


def try_file(data: bytes, rng: random.Random) -> str:
    """The fault in the treatment of a file; empty if there is none."""
    try:
        names = read_names(data)
        for page in range(4):
            names.functions_on(page), names.sections_on(page)
    except Exception as error:
        return f"names: {error!r}"
    try:
        prove(undo(data), data)
    except SplitError:
        pass
    except Exception as error:
        return f"prove: {error!r}"
    first = rng.randrange(4)
    try:
        done = split(data, [Run(0, 0), Run(first, first + rng.randrange(2))])
        if done.table and (differences := prove(undo(done.elf), done.elf).differences):
            return f"split, and {differences[0]}"
    except SplitError:
        pass
    except Exception as error:
        return f"split: {error!r}"
    return ""


def make(number: int, files: list[bytes]) -> tuple[bytes, random.Random]:
    """The file of a case, and what its further choices are made with."""
    rng = random.Random(number)
    return mutate(files[rng.randrange(len(files))], rng), rng


def run(numbers: range) -> tuple[int, list[Failure]]:
    """Try these cases. Gives their number, and the failures."""
    files = bases()
    failures = []
    limit_memory(memory_limit(60_000))
    for number in numbers:
        data, rng = make(number, files)
        began = time.process_time()
        what = _counted(data, rng) if number % STEPS_EVERY == 0 else try_file(data, rng)
        if time.process_time() - began > SECONDS_MAX:
            what = what or "took too long"
        if what:
            failures.append(Failure(number, what))
    return len(numbers), failures


def _counted(data: bytes, rng: random.Random) -> str:
    found: list[str] = []
    calls = steps(lambda: found.append(try_file(data, rng)))
    return found[0] or (f"{calls} calls" if calls > STEPS_MAX else "")


if __name__ == "__main__":
    tried, failures = run_parallel(int(sys.argv[1]), run=run)
    for failure in failures:
        print(f"case {failure.number}: {failure.what}")
    print(f"{tried} cases, {len(failures)} misbehaved")
    sys.exit(bool(failures))
