# SPDX-License-Identifier: MIT
"""Other readers agree with ours on every byte of our plain images, and ours with theirs."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pycramfs import Cramfs
from pycramfs.file import RegularFile, Symlink

from support.cramfs_cases import Case, make_case
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SEEDS = range(40)


def plain(seed: int) -> Case:
    """A case without what other readers do not know: extended block pointers, and holes.

    Of the rest 7-Zip and pycramfs know no padding, and fsck.cramfs knows no inserted image.
    """
    case = make_case(seed, odd_names=False)
    case.plan = {}
    case.options = replace(case.options, extended=False, holes=False)
    return case


@pytest.mark.parametrize("seed", SEEDS)
def test_fsck_of_util_linux_agrees(tmp_path: Path, seed: int) -> None:
    case = plain(seed)
    case.options = replace(case.options, insert=b"")
    (tmp_path / "image").write_bytes(write_image(case.tree(), {}, case.options).image)
    run = subprocess.run(
        ["fsck.cramfs", f"--extract={tmp_path / 'out'}", tmp_path / "image"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    agree_on_disk(case, tmp_path / "out")


@pytest.mark.parametrize("seed", SEEDS)
def test_7zip_agrees(tmp_path: Path, seed: int) -> None:
    case = plain(seed)
    # It makes no links that lead upwards or to the top.
    case.links.clear()
    case.options = replace(case.options, pad=False)
    (tmp_path / "image").write_bytes(write_image(case.tree(), {}, case.options).image)
    command: list[str | Path] = ["7z", "x", "-y", f"-o{tmp_path / 'out'}", tmp_path / "image"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    agree_on_disk(case, tmp_path / "out")


def agree_on_disk(case: Case, out: Path) -> None:
    for path, file in case.files.items():
        assert (out / path[1:]).read_bytes() == file.content, path
    for path, target in case.links.items():
        assert os.fsencode((out / path[1:]).readlink()) == target, path


@pytest.mark.parametrize("seed", SEEDS)
def test_pycramfs_agrees(seed: int) -> None:
    case = plain(seed)
    case.options = replace(case.options, pad=False)
    image = Cramfs.from_bytes(write_image(case.tree(), {}, case.options).image)
    theirs = {str(entry.path): entry for entry in image}
    for path, file in case.files.items():
        entry = theirs[path]
        assert isinstance(entry, RegularFile)
        assert entry.read_bytes() == file.content
    for path, target in case.links.items():
        link = theirs[path]
        assert isinstance(link, Symlink)
        assert link.read_bytes() == target
    assert len(theirs) == sum(1 for _ in case.tree().walk())


def read_by_fsck(image: Path, out: Path) -> bytes | None:
    command: list[str | Path] = ["fsck.cramfs", f"--extract={out}", image]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    return (out / "file").read_bytes()


def read_by_7zip(image: Path, out: Path) -> bytes | None:
    command: list[str | Path] = ["7z", "x", "-y", f"-o{out}", image]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    return (out / "file").read_bytes()


def read_by_pycramfs(image: Path, out: Path) -> bytes | None:
    try:
        entry = Cramfs.from_bytes(image.read_bytes()).select("/file")
        assert isinstance(entry, RegularFile)
        return entry.read_bytes()
    except Exception:
        return None


READERS = {"fsck.cramfs": read_by_fsck, "7-Zip": read_by_7zip, "pycramfs": read_by_pycramfs}
FEATURES = {
    "plain": WriteOptions(),
    "extended pointers": WriteOptions(extended=True),
    "holes": WriteOptions(holes=True),
    "padding": WriteOptions(pad=True),
    "inserted file": WriteOptions(insert=b"inserted"),
}
UNREAD = {
    "fsck.cramfs": {"extended pointers", "holes", "inserted file"},
    "7-Zip": {"extended pointers", "holes", "padding"},
    "pycramfs": {"extended pointers", "holes", "padding"},
}


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("reader", READERS)
def test_other_readers_know_what_our_documentation_says(
    tmp_path: Path, reader: str, feature: str
) -> None:
    """The table of docs/images.md."""
    content = (
        b"text " * PAGE_SIZE + bytes(2 * PAGE_SIZE) + random.Random(1).randbytes(2 * PAGE_SIZE)
    )
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_bytes(content)
    image = tmp_path / "image"
    plan = {"/file": [1, 2]} if feature == "extended pointers" else {}
    image.write_bytes(
        write_image(Tree.from_directory(tmp_path / "root"), plan, FEATURES[feature]).image
    )
    known = READERS[reader](image, tmp_path / "out") == content
    assert known == (feature not in UNREAD[reader])


@pytest.mark.parametrize("seed", range(10))
def test_images_of_util_linux_are_read_and_built_alike(tmp_path: Path, seed: int) -> None:
    case = make_case(seed)
    case.table = ""
    case.plant(tmp_path / "root")
    order = ["-z"] if seed % 2 else []
    subprocess.run(["mkfs.cramfs", *order, tmp_path / "root", tmp_path / "image"], check=True)
    image = read_image((tmp_path / "image").read_bytes())
    contents = {
        entry.path: image.read(entry) for entry in image.entries if entry.kind is EntryKind.FILE
    }
    assert contents == {path: file.content for path, file in case.files.items()}
    ours = write_image(Tree.from_directory(tmp_path / "root"), {}, case.options).image
    assert [entry.path for entry in read_image(ours).entries] == [
        entry.path for entry in image.entries
    ]
    assert check_image(ours, case.options.kernel).errors == 0
