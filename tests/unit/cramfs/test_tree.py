# SPDX-License-Identifier: MIT
"""A tree is refused by name where an image cannot hold it, and no depth of it recurses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyprof.cramfs.format import DEPTH_MAX, TreeError
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.writer import WriteOptions, write_image


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed at once, for pytest's own way of removing recurses."""
    (tmp_path / "top").mkdir()
    yield tmp_path / "top"
    subprocess.run(["rm", "-rf", tmp_path / "top"], check=True)


def deepen(top: Path, depth: int) -> None:
    """Make `depth` folders in one another, further than a path can name."""
    handle = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)


def test_the_deepest_tree_that_is_built_is_read(top: Path) -> None:
    deepen(top, DEPTH_MAX)
    image = write_image(Tree.from_directory(top), {}, WriteOptions()).image
    assert read_image(image).entries[-1].path == "/d" * DEPTH_MAX + "/file"
    assert check_image(image).findings == ()


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 350, 1_500])
def test_a_deeper_tree_is_refused_by_name(top: Path, depth: int) -> None:
    deepen(top, depth)
    with pytest.raises(TreeError, match=f"/d/d: depth in directories is {DEPTH_MAX + 1}"):
        Tree.from_directory(top)


def test_a_table_cannot_make_a_tree_deeper_than_that(top: Path) -> None:
    deepen(top, DEPTH_MAX)
    tree = Tree.from_directory(top)
    path = "/d" * (DEPTH_MAX + 1)
    deeper = apply_device_table(tree, f"{path} d 755 0 0\n")
    with pytest.raises(TreeError, match="depth in directories"):
        write_image(deeper, {}, WriteOptions())
    with pytest.raises(TreeError, match=r"line 1: .*depth in directories"):
        apply_device_table(tree, "/d" * 2_000 + " d 755 0 0\n")


def test_a_path_that_no_kernel_resolves_is_refused(top: Path) -> None:
    deepen(top, 0)
    handle = os.open(top, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=handle)
        inner = os.open("n" * 250, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    with pytest.raises(TreeError, match="length of the path is 4267"):
        Tree.from_directory(top)


def test_a_name_of_an_image_is_not_cut_to_fit(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="at most 16 bytes"):
        write_image(Tree.from_directory(tmp_path), {}, WriteOptions(name="sixteen bytes ümä"))


def test_extended_attributes_are_counted_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ping").touch()
    capable = {os.fsencode(tmp_path / "ping"): ["security.capability"]}
    monkeypatch.setattr(os, "listxattr", lambda path, follow_symlinks: capable.get(path, []))
    tree = Tree.from_directory(tmp_path)
    assert tree.attributes == {"/ping": ("security.capability",)}
    assert apply_device_table(tree, "/ping f 755 0 0\n").attributes == tree.attributes


def test_a_file_of_the_same_size_and_time_that_was_put_in_its_place_is_a_change(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    tree = Tree.from_directory(tmp_path)
    status = (tmp_path / "file").stat()
    (tmp_path / "new").write_bytes(b"new")
    os.utime(tmp_path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "new").replace(tmp_path / "file")
    with pytest.raises(TreeError, match="/file: changed while being read"):
        write_image(tree, {}, WriteOptions())


IMAGE_OF = """
import sys
from pathlib import Path
from tinyprof.cramfs import Tree, WriteOptions, check_image, extract_image, read_image, write_image
top, out = sys.argv[1:]
image = write_image(Tree.from_directory(top), {}, WriteOptions(name="n\\xe4me")).image
assert not check_image(image).findings, check_image(image).findings
extract_image(read_image(image), Path(out))
sys.stdout.buffer.write(image)
"""


def test_names_do_not_depend_on_the_locale(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for name in ("ümlaut".encode(), "имя".encode(), "имя".encode("koi8-r"), b"\xff\xfe"):
        (tmp_path / "root" / os.fsdecode(name)).touch()
    images = []
    for number, utf8 in enumerate("01"):
        words = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": utf8}
        out = tmp_path / f"out{number}"
        run = subprocess.run(
            [sys.executable, "-c", IMAGE_OF, tmp_path / "root", out],
            env={**os.environ, **words},
            capture_output=True,
            check=True,
        )
        images.append(run.stdout)
        assert {path.name for path in out.iterdir()} == {
            path.name for path in (tmp_path / "root").iterdir()
        }
    assert images[0] == images[1]
