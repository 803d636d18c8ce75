# SPDX-License-Identifier: MIT
"""Checks images and folders of root filesystems: how many pages in place each kernel would map,
and whether a folder fits into a CramFS at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tinyprof.cli.doctor.kernel_config import KernelConfig
from tinyprof.cli.doctor.kernel_needs import WITH_PATCH, has_handler
from tinyprof.cli.doctor.verdict import Check, State, broken_by
from tinyprof.cramfs.elf import read_header
from tinyprof.cramfs.format import EntryKind, ImageError, TreeError
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel, judge
from tinyprof.cramfs.programs import EM_RISCV, HEAD_SIZE, head_in, head_of, machine_of
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry, distinct_contents
from tinyprof.cramfs.reading.dump import read_image_bytes
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE, Fsid, pages_in
from tinyprof.text import counted, shown

FINDINGS_SHOWN = 3

FULL_SHARE = 0.95
"""Share of the pages in place. A kernel that maps fewer is not the one that the image is for."""

AGENT = "/sbin/tinyprof-agent"


@dataclass(frozen=True, slots=True)
class Mapped:
    """Number of pages in place, and how many of them each kernel would map from flash."""

    in_place: int
    by: dict[KernelModel, int]

    def share(self, kernel: KernelModel) -> float:
        """Share of the pages in place that a kernel maps."""
        return self.by[kernel] / self.in_place if self.in_place else 1.0


def mapped_pages(image: Image, *, riscv_code: bool = False) -> Mapped:
    """Count the pages in place, as `tinyprof image info` counts them: pages of files that share a
    page of the image are one. A file that cannot be read has none."""
    in_place: set[int] = set()
    by: dict[KernelModel, set[int]] = {kernel: set() for kernel in KERNEL_MODELS}
    for entry in distinct_contents(image.entries):
        if entry.kind is not EntryKind.FILE:
            continue
        try:
            blocks = image.blocks(entry)
            wanted = {page: block.offset for page, block in enumerate(blocks) if block.in_place}
            head = _head_of_entry(image, entry) if wanted else b""
        except ImageError:
            continue
        in_place.update(wanted.values())
        for kernel, mapped in by.items():
            judged = judge(kernel, head, entry.size, wanted, riscv_code=riscv_code)
            mapped.update(wanted[page] for page in judged.in_place)
    return Mapped(len(in_place), {kernel: len(mapped) for kernel, mapped in by.items()})


def _head_of_entry(image: Image, entry: Entry) -> bytes:
    """The first bytes of a file, up to the end of its program headers. Raises ImageError.

    Those of a program with split segments stand at its end.
    """
    first = _first_bytes(image, entry, 1)
    found = read_header(first)
    if found is None:
        return first
    end = found[1].phoff + found[1].phentsize * found[1].phnum
    if not HEAD_SIZE < end <= entry.size:
        return first
    return head_in(_first_bytes(image, entry, pages_in(end)))


def _first_bytes(image: Image, entry: Entry, pages: int) -> bytes:
    """The first pages of a file. A hole is an empty page."""
    read = b"".join(
        bytes(page).ljust(PAGE_SIZE, b"\0") for page in islice(image.pages(entry), pages)
    )
    return read[: entry.size]


def image_checks(
    path: Path,
    kernel: KernelModel | None,
    config: KernelConfig | None,
    *,
    riscv_code: bool = False,
) -> Iterator[Check]:
    """Check an image. `kernel` or `config`: the kernel that it is meant for, if that is known.
    `riscv_code`: see cramfs.kernel.maps_no_code()."""
    subject = str(path)
    try:
        data = read_image_bytes(path)
        image = read_image(data)
    except (ImageError, OSError) as error:
        yield broken_by(subject, "image", error)
        return
    superblock = image.superblock
    text = f"{counted(superblock.size, 'byte')}, {counted(len(image.entries), 'name')}"
    yield Check(subject, "image", State.OK, f"{text}, fsid {superblock.fsid}")
    mapped = mapped_pages(image, riscv_code=riscv_code)
    meant = kernel or _model_of(config)
    yield from _structure(subject, data, meant or "mainline")
    yield _eligible(subject, mapped, meant, "--kernel" if kernel else "its configuration")


def fsid_of(path: Path) -> Fsid | None:
    """The identity of an image. None: it cannot be read."""
    try:
        return read_image(read_image_bytes(path)).superblock.fsid
    except (ImageError, OSError):
        return None


def _model_of(config: KernelConfig | None) -> KernelModel | None:
    """The kernel model that a configuration stands for."""
    if config is None:
        return None
    if has_handler(config):
        return "patched"
    no_mmu = config.version is not None and not config.has("MMU")
    return "nommu" if no_mmu else "mainline"


def _structure(subject: str, data: memoryview, kernel: KernelModel) -> Iterator[Check]:
    """The findings of `tinyprof image check --quick`. Whether pages are mapped is said apart."""
    report = check_image(data, kernel, contents=False)
    findings = [it for it in report.findings if it.error or it.rule is Rule.LAST_PAGE]
    if not findings:
        yield Check(subject, "structure", State.OK, "nothing that a kernel would misread")
        return
    for finding in findings[:FINDINGS_SHOWN]:
        where = f"{finding.path}: " if finding.path else ""
        state = State.BROKEN if finding.error else State.LOOK
        todo = (f"'tinyprof image check --kernel {kernel}' lists all findings",)
        yield Check(subject, "structure", state, shown(where + finding.message), todo)


def _eligible(subject: str, mapped: Mapped, meant: KernelModel | None, said_by: str) -> Check:
    total = mapped.in_place
    if not total:
        return Check(
            subject,
            "in place",
            State.OK,
            "nothing is in place: an image to record with, on any kernel",
        )
    counts = ", ".join(f"{name} {mapped.by[name]}" for name in KERNEL_MODELS)
    text = f"{counted(total, 'page')} in place; mapped from flash by kernel: {counts}"
    if meant and mapped.share(meant) < FULL_SHARE:
        return Check(
            subject,
            "in place",
            State.BROKEN,
            f"{text}; it is for another kernel than {meant}, which {said_by} says",
            (_remedy(meant),),
        )
    if meant or mapped.share("mainline") >= FULL_SHARE:
        whom = meant or "mainline"
        return Check(subject, "in place", State.OK, f"{text}; good for {whom}")
    if mapped.share("patched") >= FULL_SHARE:
        return Check(
            subject,
            "in place",
            State.LOOK,
            f"{text}; it is for a patched kernel (CONFIG_CRAMFS_XIP_FAULT) alone",
            ("say --kernel patched if yours is one", _remedy("mainline")),
        )
    todo = ("build it again with 'tinyprof build --kernel …', which leaves such pages compressed",)
    return Check(subject, "in place", State.LOOK, f"{text}; no kernel maps all of them", todo)


def _remedy(kernel: KernelModel) -> str:
    if kernel == "mainline":
        return "for a stock kernel plan and build with --kernel mainline --split-segments"
    if kernel == "nommu":
        return "for a kernel without an MMU plan and build with --kernel nommu"
    return f"RISC-V kernels map no code from flash; {WITH_PATCH}"


def tree_checks(path: Path, *, riscv_code: bool = False) -> Iterator[Check]:
    """Check the folder of a root filesystem. `riscv_code`: see cramfs.kernel.maps_no_code()."""
    subject = str(path)
    try:
        tree = Tree.from_directory(path, any_owner=True)
        yield _contents(subject, tree)
        yield from _owners(subject, tree)
        yield from _attributes(subject, tree)
        yield from _programs(subject, tree, riscv_code=riscv_code)
    except (TreeError, OSError) as error:
        yield broken_by(subject, "folder", error)


def _contents(subject: str, tree: Tree) -> Check:
    files = list(tree.files())
    if not files:
        return Check(subject, "folder", State.LOOK, "no file in it", ("give the root filesystem",))
    pages = sum(node.pages for node in files)
    text = f"fits into a CramFS: {counted(len(files), 'file')}, {counted(pages, 'page')}"
    return Check(subject, "folder", State.OK, text)


def _owners(subject: str, tree: Tree) -> Iterator[Check]:
    try:
        tree.check_owners()
    except TreeError as error:
        yield Check(
            subject,
            "owners",
            State.LOOK,
            error.message,
            ("build with -q (all is root's), with -D TABLE, or under fakeroot",),
        )


def _attributes(subject: str, tree: Tree) -> Iterator[Check]:
    if tree.attributes:
        first = shown(min(tree.attributes))
        yield Check(
            subject,
            "attributes",
            State.LOOK,
            f"{counted(len(tree.attributes), 'path')} with attributes that CramFS has no room "
            f"for, such as {first}",
            ("a program that needs security.capability runs as root instead",),
        )


def _programs(subject: str, tree: Tree, *, riscv_code: bool) -> Iterator[Check]:
    heads = [head for node in tree.files() if (head := head_of(node)).startswith(b"\x7fELF")]
    machines = {machine_of(head) for head in heads}
    if not heads:
        yield Check(subject, "programs", State.LOOK, "no ELF program: is it a root filesystem?")
    elif EM_RISCV in machines and not riscv_code:
        yield Check(
            subject,
            "programs",
            State.LOOK,
            f"{counted(len(heads), 'program')} for RISC-V, whose kernels map no code from flash",
            ("only data can be in place there (docs/split-segments.md)", WITH_PATCH),
        )
    elif len(machines) > 1:
        numbers = ", ".join(map(str, sorted(machines)))
        yield Check(
            subject,
            "programs",
            State.LOOK,
            f"programs for {len(machines)} machines (e_machine {numbers})",
            ("is it one root filesystem?",),
        )
    else:
        yield Check(subject, "programs", State.OK, counted(len(heads), "program"))
    if any(node.path == AGENT for node in tree.files()):
        yield Check(subject, "agent", State.NOTE, f"{AGENT} is in it", ("leave it out to ship",))
