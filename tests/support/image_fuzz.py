# SPDX-License-Identifier: MIT
"""Feeds mutated images to the reader, the checker and the extractor: seeds in, the cases that
misbehave out.

A case is made from its number alone, so any of them can be made again. Run as a program it takes
as many cases and cores as it is given: `python tests/image_fuzz.py 200000 2`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.cramfs_cases import Case, make_case
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.extractor import extract_image
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.writing.writer import write_image

BASES = 24
EXTRACT_EVERY = 20
BATCH = 2_000
SECONDS_MAX = 2.0
"""No image of a few pages may take longer than this, however it is made."""

WORDS = (
    0,
    1,
    3,
    4,
    76,
    0xFF,
    0xFFF,
    0x1000,
    0xFFFFFF,
    0x1000000,
    0x3FFFFFFF,
    0x40000000,
    0x80000000,
    0xFFFFFFFF,
)


@dataclass(frozen=True)
class Failure:
    """A case that misbehaved, and how."""

    number: int
    what: str


def bases() -> list[bytes]:
    """Small images of all kinds to start from."""
    images: list[bytes] = []
    seed = 0
    while len(images) < BASES:
        case = make_case(seed, kernels=("patched", "mainline", "nommu"), big_endian=True)
        seed += 1
        if sum(len(file.content) for file in case.files.values()) < 40_000:
            images.append(write_image(_small(case).tree(), case.plan, case.options).image)
    return images


def _small(case: Case) -> Case:
    """Without the directories that only make it slow."""
    deep = {path for path in case.directories if path.count("/") > 6}
    case.directories = [path for path in case.directories if path not in deep]
    for paths in (case.files, case.links):
        for path in [path for path in paths if path.rpartition("/")[0] in deep]:
            del paths[path]
    return case


def mutate(image: bytes, rng: random.Random) -> bytes:
    """One to six changes, most of them where the structure is."""
    broken = bytearray(image)
    for _ in range(rng.randrange(1, 7)):
        limit = rng.choice((76, 600, 2_500, len(broken)))
        at = rng.randrange(max(min(limit, len(broken) - 4), 1))
        match rng.randrange(6):
            case 0:
                broken[at] ^= 1 << rng.randrange(8)
            case 1:
                broken[at] = rng.randrange(256)
            case 2:
                struct.pack_into(rng.choice("<>") + "I", broken, at & ~3, rng.choice(WORDS))
            case 3:
                struct.pack_into(
                    rng.choice("<>") + "I", broken, at & ~3, rng.randrange(len(broken))
                )
            case 4:
                other = rng.randrange(len(broken))
                size = rng.choice((4, 12, 16, 64))
                broken[at : at + size] = broken[other : other + size]
            case _:
                if rng.random() < 0.1:
                    del broken[rng.randrange(len(broken)) :]
        if len(broken) < 8:
            break
    return bytes(broken)


def try_image(image: bytes, target: Path | None) -> str:
    """What is wrong with how an image is treated; empty if nothing is."""
    try:
        check_image(image)
        parsed = read_image(image)
        for entry in {(entry.ino, entry.size): entry for entry in parsed.entries}.values():
            _read(parsed, entry)
        if target is not None:
            extract_image(parsed, target)
    except ImageError:
        return ""
    except Exception as error:
        return repr(error)
    return ""


def _read(image: Image, entry: Entry) -> None:
    with contextlib.suppress(ImageError):
        image.read(entry)


def run(numbers: range) -> tuple[int, list[Failure]]:
    """Try these cases; how many there were, and those that failed."""
    images = bases()
    failures: list[Failure] = []
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as scratch:
        outside = _witness(Path(scratch))
        for number in numbers:
            image = make(number, images)
            target = Path(scratch) / "in" / "target" if number % EXTRACT_EVERY == 0 else None
            began = time.process_time()
            what = try_image(image, target)
            if time.process_time() - began > SECONDS_MAX:
                what = what or f"took {time.process_time() - began:.1f} s"
            if target is not None:
                shutil.rmtree(target, ignore_errors=True)
                if _witness_of(Path(scratch)) != outside:
                    what = "wrote outside its directory"
            if what:
                failures.append(Failure(number, what))
    return len(numbers), failures


def make(number: int, images: list[bytes]) -> bytes:
    """The image of a case."""
    rng = random.Random(number)
    return mutate(images[rng.randrange(len(images))], rng)


def _witness(scratch: Path) -> object:
    (scratch / "in").mkdir()
    (scratch / "in" / "canary").write_bytes(b"alive")
    return _witness_of(scratch)


def _witness_of(scratch: Path) -> object:
    found = sorted(scratch.rglob("*"))
    return [
        (path, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in found
    ]


def run_parallel(
    cases: int,
    first: int = 0,
    jobs: int = 0,
    *,
    run: Callable[[range], tuple[int, list[Failure]]] = run,
) -> tuple[int, list[Failure]]:
    """Try `cases` cases from `first` on, on all cores."""
    batches = [
        range(at, min(at + BATCH, first + cases)) for at in range(first, first + cases, BATCH)
    ]
    tried, failures = 0, list[Failure]()
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        for count, found in pool.map(run, batches):
            tried += count
            failures += found
    return tried, failures


def memory_peak(image: bytes) -> int:
    """Bytes that treating an image takes at most."""
    tracemalloc.start()
    try_image(image, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def corpus(folder: Path) -> list[Path]:
    """The images of past findings."""
    return sorted(folder.glob("*.cramfs"))


if __name__ == "__main__":
    began = time.monotonic()
    tried, failures = run_parallel(
        int(sys.argv[1]), jobs=int(sys.argv[2]) if len(sys.argv) > 2 else 0
    )
    for failure in failures:
        print(f"case {failure.number}: {failure.what}")
    print(f"{tried} cases in {time.monotonic() - began:.0f} s, {len(failures)} misbehaved")
    sys.exit(bool(failures))
