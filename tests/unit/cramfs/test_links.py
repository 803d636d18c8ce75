# SPDX-License-Identifier: MIT
"""Symbolic links as hard links: the same file under each name, and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.links import with_hard_links
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    for folder in ("bin", "lib", "usr/lib", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin/busybox").write_bytes(b"program" * 2000)
    (tmp_path / "usr/lib/libc.so.6").write_bytes(b"library" * 2000)
    return tmp_path


@pytest.mark.parametrize(
    ("at", "to", "file"),
    [
        ("bin/sh", "busybox", "/bin/busybox"),
        ("bin/ls", "/bin/busybox", "/bin/busybox"),
        ("usr/sh", "../bin/./busybox", "/bin/busybox"),
        ("usr/far", "../../../../bin/busybox", "/bin/busybox"),
        ("bin/twice", "sh-of-all", "/bin/busybox"),
        ("through-a-folder", "library/libc.so.6", "/usr/lib/libc.so.6"),
    ],
)
def test_a_link_to_a_file_of_the_tree_becomes_that_file(
    rootfs: Path, at: str, to: str, file: str
) -> None:
    (rootfs / "bin/sh-of-all").symlink_to("/bin/busybox")
    (rootfs / "library").symlink_to("usr/lib")
    (rootfs / at).symlink_to(to)
    made, replaced = with_hard_links(Tree.from_directory(rootfs))
    assert replaced[f"/{at}"] == file
    nodes = {node.path: node for node in made.walk()}
    assert nodes[f"/{at}"].kind is EntryKind.FILE
    assert nodes[f"/{at}"].content() == nodes[file].content()


@pytest.mark.parametrize(
    "to",
    [
        "/usr/lib",
        "missing",
        "busybox/x",
        "busybox/",
        "busybox/.",
        "busybox/../busybox",
        "/dev/null",
        "me",
        "other",
        "../../..",
        ".",
        "/bin/sh/..",
    ],
)
def test_every_other_link_stays_a_link(rootfs: Path, to: str) -> None:
    (rootfs / "bin/me").symlink_to(to)
    (rootfs / "bin/other").symlink_to("me")
    tree = Tree.from_directory(rootfs)
    made, replaced = with_hard_links(tree)
    assert (made, replaced) == (tree, {})


def test_a_chain_longer_than_the_kernel_follows_stays(rootfs: Path) -> None:
    (rootfs / "bin/0").symlink_to("busybox")
    for number in range(1, 41):
        (rootfs / f"bin/{number}").symlink_to(str(number - 1))
    _, replaced = with_hard_links(Tree.from_directory(rootfs))
    assert "/bin/39" in replaced
    assert "/bin/40" not in replaced


def test_hard_links_share_their_inode_and_cost_no_flash_but_the_name(rootfs: Path) -> None:
    (rootfs / "bin/sh").symlink_to("busybox")
    tree = Tree.from_directory(rootfs)
    made, _ = with_hard_links(tree)
    image = write_image(made, {}, WriteOptions()).image
    inodes = {entry.path: entry.ino for entry in read_image(image).entries}
    assert inodes["/bin/sh"] == inodes["/bin/busybox"]
    assert len(image) <= len(write_image(tree, {}, WriteOptions()).image)
