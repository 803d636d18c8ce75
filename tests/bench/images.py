# SPDX-License-Identifier: MIT
"""Measures building, checking and extracting images against mkfs.cramfs and fsck.cramfs of
util-linux.

    .venv/bin/python tests/bench/images.py ROOTFS [--files 20000] [--bytes 250000000] [--runs 3]
        [--markdown]

ROOTFS is a directory with a real root filesystem. All figures are of one run on one machine, each
the best of several. mkcramfs of cramfs-tools is measured too if MKCRAMFS names it. Prints
`name value unit` and the limit to reach; a figure that misses it is marked. With --markdown,
prints tables.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

TINYPROF = str(Path(sys.executable).with_name("tinyprof"))
SEED = 20261124
LARGE = 320_000_000
NOISE_EVERY = 2
"""Every second file is noise. Of LARGE bytes like that mkfs.cramfs still makes an image, of about
240 MB."""

CHANGED_EVERY = 600
"""Bytes between two that are changed in a generated file, so that it is like a real one and no
copy."""


@dataclass(frozen=True)
class Run:
    """Wall time in seconds and peak memory in bytes of the best of several runs."""

    seconds: float
    memory: int


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure, its value, and the limit that it has to reach."""

    what: str
    value: str
    limit: str = ""
    reached: bool = True

    @property
    def wanted(self) -> str:
        if not self.limit:
            return ""
        return f" ({self.limit})" if self.reached else f" ({self.limit}: MISSED)"


def measure(
    words: Sequence[str | Path], runs: int, before: Callable[[], object] = lambda: None
) -> Run:
    """Run a command several times, each after `before`; it must succeed."""
    best = Run(float("inf"), 0)
    for _ in range(runs):
        before()
        began = time.perf_counter()
        process = subprocess.Popen(
            [*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, words))}: exit code {process.returncode}")
        best = min(best, Run(seconds, usage.ru_maxrss * 1024), key=lambda run: run.seconds)
    return best


def ratio(what: str, ours: float, theirs: float, limit: float) -> Row:
    """A row for a figure that is to be at most `limit` of another."""
    value = f"{ours / theirs:.2f} of their time, {ours:.2f} s against {theirs:.2f} s"
    return Row(what, value, f"≤ {limit}", ours <= limit * theirs)


class Bench:
    """The scratch directory and the cache of one benchmark."""

    def __init__(self, scratch: Path, runs: int) -> None:
        self.scratch = scratch
        self.runs = runs
        self.theirs = scratch / "theirs.cramfs"
        self.ours = scratch / "ours.cramfs"
        os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")

    def forget(self) -> None:
        shutil.rmtree(self.scratch / "cache", ignore_errors=True)

    def build(self, tree: Path, *options: str, cold: bool = True) -> Run:
        words: list[str | Path] = [TINYPROF, "build", *options, tree, self.ours]
        return measure(words, self.runs, self.forget if cold else lambda: None)

    def building(self, tree: Path) -> list[Row]:
        theirs = measure(["mkfs.cramfs", tree, self.theirs], self.runs)
        cold = self.build(tree)
        size, their_size = self.ours.stat().st_size, self.theirs.stat().st_size
        warm = self.build(tree, cold=False)
        return [
            ratio("build, cold cache", cold.seconds, theirs.seconds, 0.6),
            ratio("build, warm cache", warm.seconds, theirs.seconds, 0.35),
            *self._against_mkcramfs(tree),
            Row(
                "image size", f"{size} bytes against {their_size}", "no larger", size <= their_size
            ),
            memory_row("peak memory, cold cache", cold, size),
            memory_row("peak memory, warm cache", warm, size),
            *self._everything(tree, their_size),
        ]

    def _against_mkcramfs(self, tree: Path) -> list[Row]:
        mkcramfs = os.environ.get("MKCRAMFS")
        if not mkcramfs:
            return []
        theirs = measure([mkcramfs, "-x", tree, self.scratch / "mkcramfs"], self.runs)
        return [
            ratio(
                "build -x, against mkcramfs -x",
                self.build(tree, "-x").seconds,
                theirs.seconds,
                0.4,
            )
        ]

    def _everything(self, tree: Path, their_size: int) -> list[Row]:
        rows = []
        for options in (["--level", "12"], ["-x", "--level", "12"], ["-x", "-z", "--level", "12"]):
            best = self.build(tree, *options, "--no-cache")
            size = self.ours.stat().st_size
            saved = 100 * (1 - size / their_size)
            value = f"{saved:.2f} % smaller, {size} bytes, {best.seconds:.2f} s"
            what = f"build {' '.join(options)}"
            rows.append(Row(what, value, "≥ 1.5 %", saved >= 1.5))
            rows.append(memory_row(f"{what}, peak memory", best, size))
        return rows

    def curve(self, source: Path, files: int, size: int) -> list[Row]:
        """Building generated trees, up to the whole one, which stays in the scratch directory."""
        rows = []
        for part in (8, 4, 2, 1):
            tree = self.scratch / "generated"
            shutil.rmtree(tree, ignore_errors=True)
            count = generate(source, tree, files // part, size // part)
            theirs = measure(["mkfs.cramfs", tree, self.theirs], 1)
            ours = measure([TINYPROF, "build", tree, self.ours], 1, self.forget)
            what = f"build, {files // part} files, {count / 1e6:.0f} MB, cold"
            rows.append(ratio(what, ours.seconds, theirs.seconds, 0.4 if part == 1 else 0.6))
            if part == 1:
                image = self.ours.stat().st_size
                rows.append(memory_row("peak memory", ours, image))
        return rows

    def looking(self, source: Path, files: int, size: int) -> list[Row]:
        """Checking and extracting an image as large as the tree, with the page cache warm on both
        sides."""
        theirs, ours, out = self.theirs, self.ours, self.scratch / "out"
        tree = self.scratch / "large"
        generate(source, tree, files, size, noise_every=NOISE_EVERY)
        measure(["mkfs.cramfs", tree, theirs], 1)
        self.build(tree)

        def clear() -> None:
            shutil.rmtree(out, ignore_errors=True)

        tested = measure(["fsck.cramfs", "--extract", theirs], self.runs)
        crc = measure(["fsck.cramfs", theirs], self.runs)
        extracted = measure(["fsck.cramfs", f"--extract={out}", theirs], 1, clear)
        checked = measure([TINYPROF, "image", "check", ours], self.runs)
        quick = measure([TINYPROF, "image", "check", "--quick", ours], self.runs)
        ours_out = measure([TINYPROF, "image", "extract", ours, out], 1, clear)
        clear()
        return [
            Row("image", f"{ours.stat().st_size} bytes"),
            ratio(
                "check, every page, against fsck.cramfs --extract",
                checked.seconds,
                tested.seconds,
                1,
            ),
            ratio(
                "check --quick, against fsck.cramfs (the CRC only)",
                quick.seconds,
                crc.seconds,
                1,
            ),
            ratio(
                "extract, against fsck.cramfs --extract=DIR",
                ours_out.seconds,
                extracted.seconds,
                1,
            ),
        ]


def memory_row(what: str, run: Run, size: int) -> Row:
    """A row for peak memory, which is to be at most three images."""
    times = run.memory / size
    return Row(what, f"{times:.2f} images, {run.memory / 1e6:.1f} MB", "≤ 3", times <= 3)


def placement(tree: Path) -> list[Row]:
    """The cost of pages in place above the unavoidable one, for plans of all densities.

    An image is whole pages, and the region of pages in place begins on one. So the ends of the
    compressed parts are compared: the part must shrink by the bytes of the pages now in place.
    """
    rng = random.Random(SEED)
    stock = Tree.from_directory(tree)
    # Equal pages are stored once in either, and counted once.
    plain = read_image(write_image(stock, {}, WriteOptions(extended=True)).image)
    stored = {
        entry.path: plain.blocks(entry) for entry in plain.entries if entry.kind is EntryKind.FILE
    }
    rows = []
    for share in (0.001, 0.01, 0.1, 0.5, 1.0):
        plan = {node.path: _some(range(node.pages), share, rng) for node in stock.files()}
        written = read_image(write_image(stock, plan, WriteOptions()).image)
        blocks = {
            stored[path][page].offset: stored[path][page] for path in plan for page in plan[path]
        }
        shrunk = sum(block.stored for block in blocks.values())
        cost = (compressed_end(written) - compressed_end(plain) + shrunk) / max(len(blocks), 1)
        what = f"placing {100 * share:g} % of all pages: {len(blocks)}"
        rows.append(Row(what, f"{cost:+.2f} bytes a page", "≤ 8", cost <= 8))
    return rows


def compressed_end(image: Image) -> int:
    """The byte after the last that belongs to no page in place."""
    ends = [0]
    for entry in image.entries:
        blocks = image.blocks(entry)
        ends += [block.offset + block.stored for block in blocks if not block.in_place]
        ends += [entry.ino + 4 * len(blocks)] if blocks else []
    return max(ends)


def _some(pages: range, share: float, rng: random.Random) -> list[int]:
    return [page for page in pages if rng.random() < share]


def generate(source: Path, target: Path, files: int, size: int, noise_every: int = 0) -> int:
    """Make a tree of files of all sizes from the bytes of a real one; how many bytes it has.

    With `noise_every` N, each N-th file does not compress.
    """
    rng = random.Random(SEED)
    files_there = (
        path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink()
    )
    blob = b"".join(path.read_bytes() for path in files_there)
    total = 0
    sizes = [min(rng.lognormvariate(0, 1.45), 200.0) for _ in range(files)]
    for number, weight in enumerate(sizes):
        count = min(int(size * weight / sum(sizes)), len(blob) // 2, (1 << 24) - 1)
        at = rng.randrange(len(blob) - count)
        content = bytearray(blob[at : at + count])
        for place in range(0, count, CHANGED_EVERY):
            content[place] = rng.randrange(256)
        if noise_every and number % noise_every == 0:
            content[:] = rng.randbytes(count)
        folder = target / f"d{number % 200:03}" / f"e{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(content)
        total += count
    return total


def show_lines(rows: list[Row]) -> None:
    for row in rows:
        print(f"{row.what.replace(' ', '-')} {row.value}{row.wanted}", flush=True)


def show_table(title: str, rows: list[Row]) -> None:
    print(f"\n## {title}\n\n| what | measured |\n|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.value}{row.wanted} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("rootfs", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=250_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="tables")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tinyprof-bench-") as scratch:
        bench = Bench(Path(scratch), options.runs)
        parts: list[tuple[str, Callable[[], list[Row]]]] = [
            (
                f"Building {options.rootfs.name}, against mkfs.cramfs",
                lambda: bench.building(options.rootfs),
            ),
            ("What pages in place cost", lambda: placement(options.rootfs)),
            ("Growing trees", lambda: bench.curve(options.rootfs, options.files, options.bytes)),
            ("Looking into a large image", lambda: bench.looking(options.rootfs, 2_500, LARGE)),
        ]
        for title, rows in parts:
            if options.markdown:
                show_table(title, rows())
            else:
                show_lines(rows())


if __name__ == "__main__":
    main()
