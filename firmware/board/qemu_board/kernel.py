# SPDX-License-Identifier: MIT
"""The board's kernel: Debian's linux-source package in, a boot image and a device tree out.

The stock and the patched kernel are built in one tree with one configuration: the second takes
seconds, and they differ in nothing but our patch. The tree stays in the cache; the results are
kept beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from qemu_board import kernel_source as sources
from qemu_board.architecture import ARMHF, Architecture, Reset
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.kernel_source import (
    Archive,
    archive,
    archive_at_hand,
    package_of,
    source_tree,
    unpack,
)
from qemu_board.packages import need, version_of
from qemu_board.tool import output_of

FIRMWARE = Path(__file__).resolve().parents[2]
LINUX = FIRMWARE / "linux"
TOOLS = (
    "gcc",
    "libc6-dev",
    "make",
    "flex",
    "bison",
    "bc",
    "patch",
    "perl",
    "xz-utils",
)
TOUCHED = "touched"
"""A file beside a source tree: the names of the files that patches made or changed in it."""

TRACER = "0006-cramfs-record-which-pages-are-touched.patch"
"""The patch of a series that what is proposed upstream stands for."""

MENDED = "mended"
"""A file of a series: the patches that a later release of its kernel has itself."""

PROGRESS_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Kernel:
    """A built kernel: what QEMU is given, and the machine that it is for.

    `reset` has the first instructions of a machine without a boot loader.
    """

    image: Path
    device_tree: Path | None
    machine: Architecture
    reset: Path | None = None


def versions() -> list[str]:
    """The kernel versions that there are patches for."""
    folders = [folder.name for folder in (LINUX / "series").iterdir()]
    return sorted(folders, key=lambda name: [int(word) for word in name.split(".")])


def packages(version: str, machine: Architecture) -> tuple[str, ...]:
    """The Debian packages that a kernel is built with."""
    return (*sources.packages(version), *machine.tools, *TOOLS)


def kernel(version: str, *, stock: bool, machine: Architecture = ARMHF) -> Kernel:
    """The kernel of this version, built if the cache has none of the same ingredients."""
    if version not in versions():
        raise BoardError(
            f"no patches for kernel {version}", f"there are some for {', '.join(versions())}"
        )
    need(*packages(version, machine))
    source = archive(version)
    built = _kernel_of(source, stock, machine)
    # It appears whole, so nobody who has it waits for the build of another machine's.
    if not built.image.exists():
        with locked(f"kernel-{version}"):
            if not built.image.exists():
                _build(source, built, stock=stock)
    return built


def kernel_at_hand(version: str, *, stock: bool, machine: Architecture = ARMHF) -> Kernel | None:
    """The kernel of this version as kernel() gives it, None where it would have to be built."""
    source = archive_at_hand(version)
    found = _kernel_of(source, stock, machine) if source else None
    return found if found and found.image.exists() else None


def _kernel_of(source: Archive, stock: bool, machine: Architecture) -> Kernel:
    """The place in the cache of a kernel, built or not, by all that goes into it."""
    version = source.version
    inputs = [*_config_files(version, machine, stock)]
    inputs += [_board_dts(version, machine)] if machine.device_tree else []
    inputs += [_reset_source(machine.reset)] if machine.reset else []
    inputs += [] if stock else patches_for(source, proposed=machine.proposed)
    words = [
        f"{package_of(version)} {source.package_version}",
        f"gcc {version_of(machine.compiler)}",
    ]
    kind = "stock" if stock else "patched"
    folder = cache_root() / "kernel" / f"{version}-{kind}-{key_of(words, inputs)}"
    device_tree = folder / f"{machine.device_tree}.dtb" if machine.device_tree else None
    reset = folder / "reset.elf" if machine.reset else None
    return Kernel(folder / machine.image, device_tree, machine, reset)


def _config_files(version: str, machine: Architecture, stock: bool) -> list[Path]:
    names = [*machine.configs, *(f"{name}-{version}" for name in machine.configs)]
    names.append(f"kernel-{version}")
    files = [FIRMWARE / "board/machines" / f"{name}.config" for name in names]
    ours = LINUX / "proposals" if machine.proposed else LINUX
    part = "tinyprof.config" if machine.mmu else "tinyprof-nommu.config"
    files += [] if stock else [ours / part]
    return [file for file in files if file.exists()]


def _board_dts(version: str, machine: Architecture) -> Path:
    """Our device tree, of which a version whose nodes have other names has its own."""
    folder = FIRMWARE / "board/machines"
    own = folder / f"{machine.device_tree}-{version}.dts"
    return own if own.exists() else folder / f"{machine.device_tree}.dts"


def _reset_source(reset: Reset) -> Path:
    return FIRMWARE / "board/machines" / f"{reset.source}.S"


def patches_for(source: Archive, *, proposed: bool = False) -> list[Path]:
    """The series as it is shipped: what is tested is what is applied elsewhere. A patch that the
    kernel's release has already is left out. With `proposed` what is proposed upstream comes in
    place of the tracer."""
    series = LINUX / "series" / source.version
    mended = mended_from(series)
    patches = [
        patch
        for patch in sorted(series.glob("*.patch"))
        if patch.name not in mended or source.release < mended[patch.name]
    ]
    if not proposed:
        return patches
    proposals = sorted((LINUX / "proposals").glob("*.patch"))
    return [patch for patch in patches if patch.name != TRACER] + proposals


def mended_from(series: Path) -> dict[str, tuple[int, ...]]:
    """The patches of a series that a later release of its kernel needs no more, and from which
    release on. They stand in the file MENDED, a line "PATCH RELEASE" for each. Empty lines and
    those that begin with # are passed over."""
    path = series / MENDED
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {patch: tuple(int(word) for word in release.split(".")) for patch, release in pairs}


def _build(package: Archive, wanted: Kernel, *, stock: bool) -> None:
    machine, version = wanted.machine, package.version
    source = source_tree(version)
    _take_anew(package, source)
    if not stock:
        _apply(package, source, patches_for(package, proposed=machine.proposed))
    tree = _Tree(source, source.parent / machine.objects, machine)
    _configure(tree, _config_files(version, machine, stock))
    _compile(tree, f"kernel {version} ({machine.name}, {'stock' if stock else 'patched'})")
    with appearing(wanted.image.parent) as filling:
        shutil.copy(tree.objects / "arch" / machine.linux / "boot" / machine.image, filling)
        shutil.copy(tree.objects / ".config", filling / "config")
        # What our part takes is measured on them.
        (filling / "cramfs").mkdir()
        for path in (tree.objects / "fs/cramfs").glob("*.o"):
            shutil.copy(path, filling / "cramfs")
        if wanted.device_tree:
            _device_tree(tree, _board_dts(version, machine), filling / wanted.device_tree.name)
        if machine.reset and wanted.reset:
            _reset(machine, machine.reset, filling / wanted.reset.name)


def _take_anew(package: Archive, source: Path) -> None:
    """Undo the last build's patches: files of theirs go, changed ones come from the package."""
    record = source.parent / TOUCHED
    if not record.exists():
        return
    names = record.read_text().splitlines()
    for name in names:
        (source / name.removeprefix("new ")).unlink(missing_ok=True)
    if changed := [name for name in names if not name.startswith("new ")]:
        unpack(package, source, *changed)
    record.unlink()


def touched_by(patches: list[Path]) -> list[str]:
    """The files that patches make ("new NAME") or change (NAME)."""
    made, touched = set(), set()
    for patch in patches:
        before = ""
        for line in patch.read_text().splitlines():
            if line.startswith("+++ b/"):
                name = line.removeprefix("+++ b/")
                touched.add(name)
                made |= {name} if before == "--- /dev/null" else set()
            before = line
    return sorted(f"new {name}" if name in made else name for name in touched)


def check_hunks(patch: Path) -> None:
    """patch(1) says nothing of hunks behind one whose head counts wrong: it takes them for
    rubbish."""
    old = new = 0
    lines = patch.read_text().splitlines()
    words = next((at for at, line in enumerate(lines) if line.startswith("--- ")), 0)
    for number, line in enumerate(lines[words:], words + 1):
        if head := re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line):
            if old or new:
                raise BoardError(
                    f"{patch.name}: the hunk before line {number} is {old or new} lines short"
                )
            old, new = (int(count or 1) for count in head.groups())
        elif old or new:
            old -= line[:1] in (" ", "-", "")
            new -= line[:1] in (" ", "+", "")
        elif line[:1] in (" ", "+", "-") and not line.startswith(("+++ ", "--- ")):
            raise BoardError(f"{patch.name}: line {number} is more than its hunk's head counts")
    if old or new:
        raise BoardError(f"{patch.name}: its last hunk is {old or new} lines short")


def _apply(package: Archive, source: Path, patches: list[Path]) -> None:
    (source.parent / TOUCHED).write_text("\n".join(touched_by(patches)))
    for patch in patches:
        check_hunks(patch)
        command = [
            "patch",
            "-p1",
            "--forward",
            "--fuzz=0",
            "--no-backup-if-mismatch",
            "-i",
            str(patch),
        ]
        run = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BoardError(
                f"{patch.name} does not apply to {package.package_version}: {run.stdout.strip()}"
            )


@dataclass(frozen=True, slots=True)
class _Tree:
    """Sources, and the folder beside them that they are compiled in for a machine."""

    source: Path
    objects: Path
    machine: Architecture

    def make(self, *words: str) -> list[str]:
        jobs = len(os.sched_getaffinity(0))
        where = ["-C", str(self.source), f"O={self.objects}"]
        target = [f"ARCH={self.machine.linux}", f"CROSS_COMPILE={self.machine.cross}"]
        return ["make", f"-j{jobs}", *where, *target, *words]


def wanted_options(files: list[Path]) -> list[str]:
    """The lines "CONFIG_NAME=VALUE" of all files. Where any file says "# CONFIG_NAME is not set",
    the version has no such option, and the line of another file does not count."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    unset = {line.split()[1] for line in lines if re.fullmatch(r"# CONFIG_\w+ is not set", line)}
    return [
        line
        for line in lines
        if line.startswith("CONFIG_") and line.partition("=")[0] not in unset
    ]


def _configure(tree: _Tree, wanted: list[Path]) -> None:
    tree.objects.mkdir(exist_ok=True)
    lines = wanted_options(wanted)
    (tree.objects / "wanted.config").write_text("\n".join(lines) + "\n")
    command = tree.make(f"KCONFIG_ALLCONFIG={tree.objects / 'wanted.config'}", "allnoconfig")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BoardError(f"the kernel cannot be configured: {run.stderr.strip()[-400:]}")
    # allnoconfig drops without a word what depends on something that is not there.
    got = set((tree.objects / ".config").read_text().splitlines())
    if lost := [line for line in lines if line not in got]:
        names = ", ".join(file.name for file in wanted)
        raise BoardError(f"this kernel does not take {', '.join(lost)}", f"see {names}")


def _compile(tree: _Tree, name: str) -> None:
    log_path = tree.objects / "build.log"
    last: deque[str] = deque(maxlen=20)
    began = shown = time.monotonic()
    count = 0
    _say(f"{name}: compiling; the first time takes minutes")
    with log_path.open("w") as log:
        command = tree.make(tree.machine.image)
        make = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert make.stdout
        for line in make.stdout:
            log.write(line)
            last.append(line)
            count += line.startswith("  ")
            now = time.monotonic()
            if now - shown >= (1 if sys.stderr.isatty() else PROGRESS_SECONDS):
                shown = now
                _progress(f"{name}: {count} steps, {now - began:.0f} s")
        failed = make.wait()
    if failed:
        raise BoardError(f"the kernel does not compile, see {log_path}:\n{''.join(last)}")
    _say(f"{name}: {count} steps in {time.monotonic() - began:.0f} s")


def _device_tree(tree: _Tree, ours: Path, output: Path) -> None:
    """Compile our device tree, which may include the kernel's, with the kernel's own dtc."""
    # Later kernels sort the device trees by vendor.
    folders = ["arch/arm/boot/dts", "arch/arm/boot/dts/arm", "include"]
    include = [f"-I{tree.source / folder}" for folder in folders]
    preprocess = [
        "gcc",
        "-E",
        "-nostdinc",
        *include,
        "-undef",
        "-D__DTS__",
        "-x",
        "assembler-with-cpp",
    ]
    fault = f"the device tree {ours.name} does not compile"
    text = output_of([*preprocess, ours], fault)
    dtc = [
        str(tree.objects / "scripts/dtc/dtc"),
        "-q",
        "-I",
        "dts",
        "-O",
        "dtb",
        "-o",
        str(output),
        "-",
    ]
    output_of(dtc, fault, given=text)


def _reset(machine: Architecture, reset: Reset, output: Path) -> None:
    """Link the first instructions to address 0."""
    places = (f"KERNEL={reset.kernel:#x}", f"DEVICE_TREE={reset.device_tree:#x}")
    link = ("-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0,--build-id=none")
    command = [f"{machine.cross}gcc", *reset.words, *link, *(f"-D{it}" for it in places)]
    command += ["-o", str(output), str(_reset_source(reset))]
    output_of(command, "the first instructions do not compile")


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line}\x1b[K")
        sys.stderr.flush()
    else:
        _say(line)


def _say(line: str) -> None:
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}board: {line}", file=sys.stderr, flush=True)
