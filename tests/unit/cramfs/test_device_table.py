# SPDX-License-Identifier: MIT
"""Device tables say what mkcramfs's users expect, and are told when they do not make sense."""

from __future__ import annotations

import pytest

from support.cramfs_cases import Case, File
from tinyprof.cramfs.format import EntryKind, TreeError
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.device_table import apply_device_table


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
