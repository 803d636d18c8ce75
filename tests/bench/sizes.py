# SPDX-License-Identifier: MIT
"""Sizes of what a target gets, part by part: `name value bytes`.

A part of the agent is a source file: what the linker kept of its functions, with those that were
put into them. A part of the kernel is an object file of fs/cramfs, and its text is as size(1) has
it: code, read-only data and tables for unwinding.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/board/board"
CROSS = "arm-linux-gnueabihf-"
TRACER = ("tinyprof.o", "traced.o", "traced_mmu.o", "traced_nommu.o")
"""The object files of the tracer. The others execute in place, or are the kernel's own."""

SYMBOL = re.compile(r"^[0-9a-f]+ ([0-9a-f]+) [tT] \S+\t.*/([^/]+\.[ch]):\d+$", re.MULTILINE)


def run(*words: str | Path) -> str:
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def show(name: str, value: int) -> None:
    print(f"{name} {value} bytes", flush=True)


def agent(sources: str, folder: Path) -> None:
    """The program with all sources, or with the kernel's own part alone."""
    nolibc = Path(run(BOARD, "source").strip()) / "tools/include/nolibc"
    words = [f"SOURCES={sources}", f"CROSS_COMPILE={CROSS}", f"NOLIBC={nolibc}", f"O={folder}"]
    run("make", "-s", "-C", ROOT / "agent", "target", *words)
    program = folder / "tinyprof-agent"
    name = f"agent-{sources}"
    size = program.stat().st_size
    show(name, size)
    parts: Counter[str] = Counter()
    for bytes_, source in SYMBOL.findall(run(f"{CROSS}nm", "-S", "-l", f"{program}.elf")):
        parts[source] += int(bytes_, 16)
    for source, part in parts.most_common():
        show(f"{name}/{source}", part)
    show(f"{name}/headers-and-data", size - parts.total())


def agent_without_mmu(folder: Path) -> None:
    """The bFLT program for a Cortex-M."""
    words = [f"CROSS_COMPILE={CROSS}", f"O={folder}"]
    run("make", "-s", "-C", ROOT / "agent", "nommu", *words)
    show("agent-nommu", (folder / "tinyprof-agent-nommu").stat().st_size)


def kernel(*words: str) -> None:
    """fs/cramfs of our kernel for a machine."""
    objects = kernel_objects(*words)
    name = "-".join(("kernel", *words[1:]))
    texts = {}
    for path in sorted(objects.glob("*.o")):
        texts[path.name] = int(run(f"{CROSS}size", path).splitlines()[1].split()[0])
        show(f"{name}/{path.name}", texts[path.name])
    show(f"{name}-tracer", sum(texts.get(part, 0) for part in TRACER))


def kernel_objects(*words: str) -> Path:
    """The folder of its object files, which the board keeps beside the kernel."""
    folder = Path(run(BOARD, "kernel", *words).strip()).parent
    if not (folder / "cramfs").exists():
        # An older board built it.
        shutil.rmtree(folder)
        run(BOARD, "kernel", *words)
    return folder / "cramfs"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    for sources in ("kernel", "all"):
        agent(sources, folder / f"agent-{sources}")
    agent_without_mmu(folder / "agent-nommu")
    for words in ((), ("--arch", "armv7m")):
        kernel(*words)


if __name__ == "__main__":
    main()
