# SPDX-License-Identifier: MIT
"""Device tables say what mkcramfs's users expect, and are told when they do not make sense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.cramfs_cases import Case, File
from tinyprof.cramfs.format import EntryKind, TreeError
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.writer import WriteOptions, write_image


def tree(table: str) -> dict[str, Node]:
    base = Case(0, files={"/bin/su": File(b"su")}, directories=["/bin"]).tree()
    return {node.path: node for node in apply_device_table(Tree(base.root), table).walk()}


def test_a_range_makes_numbered_devices_with_rising_minors() -> None:
    nodes = tree("# comment\n\n/dev d 755 0 0 - - - - -\n/dev/tty c 666 0 5 4 10 1 2 3\n")
    devices = [
        (path, node.device, node.gid) for path, node in nodes.items() if path.startswith("/dev/")
    ]
    assert devices == [
        ("/dev/tty1", 4 << 8 | 10, 5),
        ("/dev/tty2", 4 << 8 | 12, 5),
        ("/dev/tty3", 4 << 8 | 14, 5),
    ]


def test_without_a_count_the_path_is_the_device() -> None:
    assert tree("/null c 666 0 0 1 3 0 0 -")["/null"].device == 1 << 8 | 3


def test_a_file_gets_mode_and_owner() -> None:
    su = tree("/bin/su f 4755 1 2 - - - - -")["/bin/su"]
    assert (su.mode, su.uid, su.gid, su.content()) == (0o104755, 1, 2, b"su")


def test_a_fifo_and_a_directory_are_made() -> None:
    nodes = tree("/run d 700 0 0\n/run/pipe p 600")
    assert nodes["/run"].mode == 0o040700
    assert nodes["/run/pipe"].kind is EntryKind.FIFO


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("/none f 644 0 0 - - - - -", "line 1: /none does not exist"),
        ("\n/dev/null c 666 0 0 1 3 0 0 -", "line 2: no directory /dev"),
        ("/bin/su d 755 0 0", "exists with another type"),
        ("/x q 755", "'q' is no type"),
        ("relative c 666", "no absolute path"),
        ("/../up c 666", "no absolute path"),
        ("/x c 666 0 0 1 255 0 1 2", "minor number is 256"),
        ("/x c 666 0 300 1 1", "gid is 300"),
        ("/x c 666 0 0 1 1 0 1 99999999", "too long"),
        ("/x c 77777", "is no mode"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(table: str, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        tree(table)


def test_a_line_of_buildroots_manual_makes_fifteen_devices() -> None:
    passwd = {"/etc/passwd": File(b"daemon:x:1:1::/:\nroot:x:0:0::/:\n")}
    group = {"/etc/group": File(b"root:x:0:\ndisk:x:6:me\n")}
    base = Case(0, files={**passwd, **group}, directories=["/etc", "/dev"]).tree()
    made = apply_device_table(base, "/dev/hda b 640 root disk 3 1 1 1 15\n")
    nodes = {node.path: node for node in made.walk()}
    for number in range(1, 16):
        node = nodes[f"/dev/hda{number}"]
        assert (node.mode, node.uid, node.gid) == (0o060640, 0, 6)
        assert node.device == 3 << 8 | number
    assert "/dev/hda16" not in nodes


def test_a_name_that_the_tree_does_not_have_is_an_error_and_no_zero() -> None:
    with pytest.raises(TreeError, match="line 1: field gid: the tree's /etc/group has no 'dbus'"):
        tree("/bin/su f 4750 0 dbus\n")


def test_minus_one_keeps_the_mode_and_the_owner() -> None:
    base = tree("/bin/su f 4711 7 8")
    assert base["/bin/su"].mode == 0o104711
    again = Tree(base["/"])
    (su,) = (
        node
        for node in apply_device_table(again, "/bin/su f -1 10 -1").walk()
        if node.path == "/bin/su"
    )
    assert (su.mode, su.uid, su.gid) == (0o104711, 10, 8)


def test_the_root_can_be_named() -> None:
    root = tree("/ d 700 1 2")["/"]
    assert (root.mode, root.uid, root.gid) == (0o040700, 1, 2)
    assert [child.path for child in root.children] == ["/bin"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/a\0b c 666 0 0 1 3", "line 1: .* is no absolute path"),
        ("/x c 666 0 0 one 3", "line 1: field major: 'one' is no number"),
        ("/x c 666 0 0 1 3 0 0 -5", "line 1: field count: '-5' is no number"),
        ("/x c 666 0 0 -1 3", "line 1: field major: '-1' is no number"),
        ("/x c 666 1.5 0 1 3", "line 1: field uid: '1.5' is no number"),
        ("/x c rw 0 0 1 3", "line 1: rw is no mode"),
        ("/x c 666 0 0 1 3 0 0 0 0", "line 1: more than 10 fields"),
        ("/bin/su f 644 0 0 1 3", "line 1: only devices have numbers"),
        ("/ c 666 0 0 1 3", "line 1: the root is a directory"),
        ("/x c 666 0 0 1 ٣", "line 1: field minor: '٣' is no number"),
    ],
)
def test_a_field_that_makes_no_sense_is_told_and_no_zero(line: str, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        tree(line)


def test_owners_may_be_changed_before_they_are_checked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 1000, 1000)
    with pytest.raises(TreeError, match=r"/file: gid is 1000.*-q.*-D.*fakeroot"):
        Tree.from_directory(tmp_path)
    given = apply_device_table(Tree.from_directory(tmp_path, any_owner=True), "/file f 644 0 0")
    given.check_owners()
    untouched = Tree.from_directory(tmp_path, any_owner=True)
    with pytest.raises(TreeError, match="gid is 1000"):
        write_image(untouched, {}, WriteOptions())


@pytest.mark.parametrize("name", ["no\u00a0break", "next\u0085line", "unit\x1fseparator"])
def test_white_space_is_that_of_ascii_only(name: str) -> None:
    assert f"/{name}" in tree(f"/{name}\tc 666 0 0 1 3\r\n")
