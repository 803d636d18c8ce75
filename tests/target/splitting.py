# SPDX-License-Identifier: MIT
"""Shared by the tests of split files on kernels: files split at random, and a program that
unwinds."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from tinyprof.segments.elf import SplitError, read_elf
from tinyprof.segments.proof import prove
from tinyprof.segments.split import runs_of, split, splittable, undo

SEED = 20261124
GUEST = Path(__file__).with_name("guest")
UNWINDS = 6
"""How many times unwinds.c says good, if its files are split."""


def is_program(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"


def add_unwinds(root: Path, compiler: str, libraries: str, *words: str) -> None:
    """/bin/unwinds and its library, which goes to the folder `libraries` and is compiled with
    `words`."""
    compile_: list[str | Path] = [compiler, "-O1", "-fexceptions", "-Wall", "-Wextra", "-Werror"]
    library = root / libraries / "libunwound.so"
    shared = ["-shared", "-fPIC", f"-Wl,-soname,{library.name}", *words]
    subprocess.run([*compile_, *shared, "-o", library, GUEST / "unwound.c"], check=True)
    program: list[str | Path] = [
        *compile_,
        "-o",
        root / "bin/unwinds",
        GUEST / "unwinds.c",
        library,
    ]
    subprocess.run([*program, f"-Wl,-rpath-link,{library.parent}"], check=True)


def split_all(root: Path) -> tuple[dict[str, list[int]], int]:
    """Split every file at random, in place; the plan of it all, and how many were split."""
    rng = random.Random(SEED)
    plan: dict[str, list[int]] = {}
    count = 0
    for path in sorted(root.rglob("*")):
        if not is_program(path):
            continue
        data = path.read_bytes()
        pages = sorted({page for owned in splittable(read_elf(data)) for page in owned})
        # The last page alone makes a run of its own, so whatever has two pages is split.
        some = rng.sample(pages, min(len(pages) // 2, rng.randrange(2, 30)))
        chosen = runs_of([*some, pages[-1]])[-20:]
        try:
            done = split(data, chosen)
        except SplitError as error:
            print(f"whole: {path.name}: {error}")
            continue
        if done.table:
            assert prove(undo(done.elf), done.elf).differences == (), path
            mode = path.stat().st_mode
            path.write_bytes(done.elf)
            path.chmod(mode)
            count += 1
        in_place = {page for run in chosen for page in range(run.first, run.last + 1)}
        plan[f"/{path.relative_to(root)}"] = sorted(in_place | set(done.leading))
    return plan, count
