# SPDX-License-Identifier: MIT
"""Split files on a stock arm64 kernel: segments that are aligned to 64 KiB are cut to pages all
the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.debian_files import unpacked
from target.booting import TINYPROF, boot
from target.splitting import GUEST, SEED, UNWINDS, add_unwinds, is_program, split_all
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.plan.plan_file import dump_plan

PACKAGES = (
    *("busybox", "libc6", "libgcc-s1", "libstdc++6", "libcrypt1", "gdbserver"),
    *("lua5.4", "liblua5.4-0", "libreadline8", "libtinfo6", "sqlite3", "libsqlite3-0", "zlib1g"),
)
CROSS_GCC = "aarch64-linux-gnu-gcc"
LIBRARIES = "lib/aarch64-linux-gnu"
FLASH = 0x0400_0000
"""The address of the board's flash: firmware/board/machines/virt-arm64.dts."""

GUARDED = ("-mbranch-protection=standard", "-Wl,-z,force-bti", "-nostartfiles")
"""The loader guards the jumps into code of such a file, piece by piece, after it mapped it."""

INIT = """#!/bin/sh
busybox mount -t proc proc /proc
echo "== programs"
busybox sha256sum /sbin/init
for time in 1 2 3; do
	lua5.4 -e 't = {} for i = 1, 2000 do t[i] = tostring(i) end
		table.sort(t) print(#table.concat(t))'
done
sqlite3 :memory: 'create table t(v); insert into t values (1), (41);
	select sum(v) from t order by 1'
gdbserver :1234 /bin/busybox 2>&1
unwinds
echo "== end"
while read -r name value unit; do echo "report ${name%:} $value"; done < /proc/meminfo
seen cached < /files
seen mapped libsqlite3.so.0 libstdc++.so.6 libunwound.so
busybox reboot -f
"""


@dataclass(frozen=True, slots=True)
class Boot:
    """An image, its size, and what the guest said."""

    image: bytes
    console: str

    @property
    def said(self) -> str:
        """The words of the programs."""
        return self.console[self.console.index("== programs") : self.console.index("== end")]

    @property
    def page_cache(self) -> int:
        """At the workload's end, in KiB."""
        found = re.search(r"^report Cached (\d+)", self.console, re.MULTILINE)
        assert found, self.console[-500:]
        return int(found[1])

    @property
    def cached(self) -> Mapping[str, list[int]]:
        """Pages in RAM at the workload's end, by path."""
        pages = defaultdict(list)
        for path, page in re.findall(r"^cached (\S+) (\d+)", self.console, re.MULTILINE):
            pages[path].append(int(page))
        return pages

    @property
    def mappings(self) -> Mapping[str, list[str]]:
        """Rights and flags of each mapping of a file that is not writable, by path."""
        flags = defaultdict(list)
        for path, words in re.findall(r"^mapping (\S+) (.*?) *\r?$", self.console, re.MULTILINE):
            flags[path].append(words)
        return flags

    def code(self, path: str) -> list[str]:
        """The mappings of a process that may be executed."""
        return [words for words in self.mappings[path] if words.startswith("r-xp")]

    @property
    def in_flash(self) -> Mapping[str, set[int]]:
        """The places in the image that mappings showed, by path."""
        places = defaultdict(set)
        for path, address in re.findall(r"^flash (\S+) (\S+)", self.console, re.MULTILINE):
            places[path].add(int(address, 16) - FLASH)
        return places


def booted(image: Path) -> Boot:
    console = boot(image, "--arch", "arm64", "--stock")
    assert "seen mapped" in console
    return Boot(image.read_bytes(), console)


def stored_at(image: bytes, plan: Mapping[str, Collection[int]]) -> dict[str, set[int]]:
    """The places in the image of a plan's pages that mappings show read-only, by path."""
    read = read_image(image)
    places = {}
    for entry in read.entries:
        if entry.path in plan:
            parts = mapped_parts(read.read(entry), entry.size) or ()
            pages = {page for part in parts if not part.writable for page in part.pages}
            blocks = [read.blocks(entry)[page] for page in pages.intersection(plan[entry.path])]
            places[entry.path] = {block.offset for block in blocks if block.in_place}
    return places


def pieces(image: bytes, path: str) -> int:
    """How many segments of code a file has."""
    read = read_image(image)
    (entry,) = (entry for entry in read.entries if entry.path == path)
    return sum(part.executable for part in mapped_parts(read.read(entry), entry.size) or ())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's programs, ours, and what runs them."""
    top = tmp_path_factory.mktemp("arm64") / "rootfs"
    shutil.copytree(unpacked("arm64", PACKAGES), top, symlinks=True)
    for name in ("dev", "proc", "sbin"):
        (top / name).mkdir(exist_ok=True)
    (top / "bin/sh").symlink_to("busybox")
    add_unwinds(top, CROSS_GCC, LIBRARIES, *GUARDED)
    flags = ["-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([CROSS_GCC, *flags, "-o", top / "bin/seen", GUEST / "seen.c"], check=True)
    programs = sorted(path for path in top.rglob("*") if is_program(path))
    (top / "files").write_text("".join(f"/{path.relative_to(top)}\n" for path in programs))
    (top / "sbin/init").write_text(INIT)
    (top / "sbin/init").chmod(0o755)
    return top


@pytest.fixture(scope="module")
def compressed(root: Path) -> Boot:
    image = root.with_name("compressed.cramfs")
    subprocess.run([*TINYPROF, "build", root, image, "--kernel", "mainline"], check=True)
    return booted(image)


def assert_mapped_as_planned(ran: Boot, plan: Mapping[str, Collection[int]]) -> None:
    """Every page of the plan that mappings can show is mapped from its place, no other is, none
    merged."""
    expected = stored_at(ran.image, plan)
    for path in ran.mappings:
        assert ran.in_flash[path] == expected.get(path, set()), path
        assert len(ran.code(path)) == pieces(ran.image, path), path


def test_split_files_save_what_all_in_place_saves_and_run_as_before(
    root: Path, compressed: Boot
) -> None:
    every, hot = (root.with_name(f"{name}.cramfs") for name in ("every", "hot"))
    subprocess.run(
        [*TINYPROF, "build", "-X", "-X", root, every, "--kernel", "mainline"], check=True
    )
    in_place = booted(every)
    plan = root.with_name("hot.plan")
    plan.write_text(dump_plan(compressed.cached))
    subprocess.run([*TINYPROF, "build", root, hot, "--plan", plan, "--split-segments"], check=True)
    ran = booted(hot)
    caches = [run.page_cache for run in (compressed, in_place, ran)]
    print(
        f"page cache {caches} KiB, images "
        f"{[len(run.image) for run in (compressed, in_place, ran)]} bytes"
    )
    assert caches[0] - caches[2] >= 0.96 * (caches[0] - caches[1])
    assert len(ran.image) < len(in_place.image)
    assert compressed.said == in_place.said
    assert ran.said.replace("good split", "bad split") == compressed.said
    assert ran.said.count("good ") == UNWINDS
    assert (
        "cannot resolve name: Temporary failure in name resolution\nExiting"
        in ran.said.replace("\r", "")
    )
    assert_mapped_as_planned(ran, compressed.cached)
    assert sum(pieces(ran.image, path) for path in ran.mappings) >= 50


def test_files_split_at_random_run_as_before(root: Path, compressed: Boot, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    top = tmp_path / "rootfs"
    shutil.copytree(root, top, symlinks=True)
    plan, count = split_all(top)
    assert count >= 20
    image = tmp_path / "image"
    written = write_image(Tree.from_directory(top), plan, WriteOptions(kernel="mainline"))
    image.write_bytes(written.image)
    assert written.refused == ()
    ran = booted(image)
    assert ran.said.replace("good split", "bad split") == compressed.said
    assert_mapped_as_planned(ran, plan)
    # Guarded, and still in pieces.
    code = ran.code(f"/{LIBRARIES}/libunwound.so")
    assert len(code) > 1
    assert all(" bt" in words for words in code)


def test_pieces_of_which_none_is_in_place_merge_and_run_as_before(
    root: Path, compressed: Boot, tmp_path: Path
) -> None:
    """The other runs, as they would be without the rule that each begins in place."""
    top = tmp_path / "rootfs"
    shutil.copytree(root, top, symlinks=True)
    split_all(top)
    image = tmp_path / "image"
    image.write_bytes(
        write_image(Tree.from_directory(top), {}, WriteOptions(kernel="mainline")).image
    )
    ran = booted(image)
    assert ran.said.replace("good split", "bad split") == compressed.said
    libc = f"/{LIBRARIES}/libc.so.6"
    assert pieces(ran.image, libc) > len(ran.code(libc)) == 1
