# SPDX-License-Identifier: MIT
"""A C program of many functions of which a workload uses few, and its links: a seed in, programs
out.

A played profile stands for a recording: the pages of the functions that the program really enters.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.program import Function, read_program

ARM = "arm-linux-gnueabihf-gcc"
SECTIONS = ("-O1", "-ffunction-sections", "-fno-inline", "-fno-reorder-functions")


@dataclass(frozen=True)
class Source:
    """The text of the C files, and the functions that the program enters: in its steady state, and
    once at its start."""

    files: Mapping[str, str]
    steady: tuple[str, ...]
    start: tuple[str, ...]


ENDS = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>
static void end(void)
{
  char line[128];
  sleep(3);
  mount("proc", "/proc", "proc", 0, NULL);
  FILE *facts = fopen("/proc/meminfo", "r");
  while (facts && fgets(line, sizeof(line), facts))
    if (!strncmp(line, "Cached:", 7))
      printf("%s", line);
  fflush(stdout);
  reboot(RB_AUTOBOOT);
}
"""
"""The end of a program that is init: it lets the agent send, tells the page cache and reboots."""


def make_source(
    seed: int, functions: int = 200, used: float = 0.2, files: int = 4, *, is_init: bool = False
) -> Source:
    """A program whose functions have 40 to 2,000 bytes. Each file has a static function of one
    name."""
    rng = random.Random(seed)
    names = [f"step_{number}" for number in range(functions)]
    called = [name for name in names if rng.random() < used]
    start, steady = called[: len(called) // 4], called[len(called) // 4 :]
    texts = {f"part{part}.c": _part(part, names[part::files], rng) for part in range(files)}
    head = (ENDS if is_init else "#include <stdio.h>\n") + "".join(
        f"unsigned {name}(unsigned);\n" for name in called
    )
    body = "".join(f"  x = {name}(x);\n" for name in start)
    body += "  for (int i = 0; i < 3; i++) {\n"
    body += "".join(f"    x = {name}(x);\n" for name in steady)
    body += f"{'    sleep(1);' if is_init else ''}\n  }}\n"
    texts["main.c"] = (
        f"{head}int main(void) {{\n  unsigned x = 1;\n{body}"
        '  printf("%u\\n", x);\n'
        f"{'  end();' if is_init else ''}\n  return 0;\n}}\n"
    )
    return Source(texts, ("main", *steady), tuple(start))


def _part(part: int, names: Iterable[str], rng: random.Random) -> str:
    text = "static __attribute__((noinline)) unsigned mix(unsigned x)\n"
    text += f"{{ return x * {2 * part + 3}u ^ x >> 7; }}\n"
    for name in names:
        lines = "".join(
            f"  x = (x << {rng.randrange(1, 31)} | x >> {rng.randrange(1, 31)}) + "
            f"{rng.randrange(1 << 30)}u;\n"
            for _ in range(int(4 * 1.5 ** rng.randrange(0, 11)) // 2 + 1)
        )
        text += f"unsigned {name}(unsigned x)\n{{\n{lines}  return mix(x);\n}}\n"
    return text


def have(*programs: str) -> bool:
    return all(map(shutil.which, programs))


def compile_source(
    folder: Path, source: Source, compiler: str = "gcc", flags: Sequence[str] = SECTIONS
) -> list[Path]:
    """The object files of a program."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = []
    for name, text in sorted(source.files.items()):
        (folder / name).write_text(text)
        objects.append(folder / f"{name}.o")
        words = [compiler, *flags, "-c", str(folder / name), "-o", str(objects[-1])]
        subprocess.run(words, check=True)
    return objects


def link(objects: Sequence[Path], output: Path, *flags: str, compiler: str = "gcc") -> Path:
    """Link a program. Raises CalledProcessError with what the linker said."""
    subprocess.run(
        [compiler, *map(str, objects), "-o", str(output), *flags],
        check=True,
        capture_output=True,
        text=True,
    )
    return output


def functions_of(program: Path) -> tuple[Function, ...]:
    found = read_program(program.read_bytes())
    assert found
    return found.functions


def played_profile(
    program: Path, path: str, source: Source, helpers: Sequence[str] = ("mix",)
) -> dict[str, Any]:
    """The profile, as JSON, of a recording that sees every page with an entered function.

    Ten epochs: the first is the start.
    """
    pages: dict[int, list[int]] = {}
    for it in functions_of(program):
        if not it.code or it.name not in {*source.steady, *source.start, *helpers, "_start"}:
            continue
        is_steady = it.name in source.steady or it.name in helpers
        for page in range(it.offset // PAGE_SIZE, (it.offset + it.size - 1) // PAGE_SIZE + 1):
            if is_steady or page not in pages:
                pages[page] = [10, 9, 1, 10, 1, 10, 1] if is_steady else [1, 0, 1, 1, 1, 1, 1]
    data = program.read_bytes()
    lost = dict.fromkeys(
        ("frames", "corrupt", "records", "untraced", "write_errors", "beyond_limits"), 0
    )
    boot = {"image": "0000000a/1/2/3", "kernel": "6.1", "epochs": 10, "weight": 1, "lost": lost}
    boot["phases"] = [["", 1, 1, 9, False], ["steady", 2, 9, 1, True]]
    file = {
        "path": path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "images": ["0000000a/1/2/3"],
        "pages": [[page, "", {"x": row}] for page, row in sorted(pages.items())],
    }
    return {"format": 2, "unknown_pages": 0, "runs": [boot], "files": [file]}


def pages_with(program: Path, names: Iterable[str]) -> set[int]:
    """The pages of a program on which functions of these names lie."""
    wanted = set(names)
    return {
        page
        for it in functions_of(program)
        if it.code and it.name in wanted
        for page in range(it.offset // PAGE_SIZE, (it.offset + it.size - 1) // PAGE_SIZE + 1)
    }
