# SPDX-License-Identifier: MIT
"""Images are read as they were written, for any tree and any choice of pages, by us and by
util-linux."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyprof.cramfs.format import EntryKind, ImageError, TreeError
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SEED = 20261124
SIZES = (0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE, 5 * PAGE_SIZE + 17)


def fill(top: Path, rng: random.Random) -> dict[str, bytes]:
    """A small tree with the shapes that go wrong: edges of pages, twins, long and odd names."""
    contents: dict[str, bytes] = {}
    for number, size in enumerate(SIZES):
        contents[f"/bin/noise{number}"] = rng.randbytes(size)
        contents[f"/bin/text{number}"] = (b"page in place %d " % number * size)[:size]
    contents["/bin/twin"] = contents["/bin/noise6"]
    contents["/" + "n" * 252] = b"long name"
    contents[os.fsdecode(b"/bin/\xff\xfe")] = b"no UTF-8"
    contents["/a/b/c/d/deep"] = b"deep"
    for path, content in contents.items():
        target = top / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (top / "link").symlink_to("bin/twin")
    (top / "empty").mkdir()
    return contents


def any_plan(contents: dict[str, bytes], rng: random.Random) -> dict[str, list[int]]:
    pages = {path: range(-(-len(content) // PAGE_SIZE)) for path, content in contents.items()}
    return {
        path: [i for i in all_pages if rng.random() < 0.5] for path, all_pages in pages.items()
    }


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("seed", range(SEED, SEED + 10))
def test_any_tree_comes_back_byte_for_byte(tmp_path: Path, seed: int, order: str) -> None:
    rng = random.Random(seed)
    contents = fill(tmp_path, rng)
    plan = any_plan(contents, rng)
    options = WriteOptions(byte_order="little" if order == "little" else "big")
    written = write_image(Tree.from_directory(tmp_path), plan, options)
    image = read_image(written.image)
    files = {entry.path: entry for entry in image.entries if entry.kind is EntryKind.FILE}
    assert {path: image.read(entry) for path, entry in files.items()} == contents
    for path, pages in plan.items():
        blocks = image.blocks(files[path])
        assert all(blocks[page].in_place for page in pages)
    (link,) = (entry for entry in image.entries if entry.kind is EntryKind.SYMLINK)
    assert image.read(link) == b"bin/twin"


def test_alignment_is_paid_once_however_the_pages_are_scattered(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    (tmp_path / "noise").write_bytes(rng.randbytes(400 * PAGE_SIZE))
    tree = Tree.from_directory(tmp_path)
    packed = len(write_image(tree, {}, WriteOptions()).image)
    scattered = len(write_image(tree, {"/noise": range(0, 400, 2)}, WriteOptions()).image)
    assert scattered < packed + 2 * PAGE_SIZE


def test_a_tree_of_nothing_is_an_image(tmp_path: Path) -> None:
    image = write_image(Tree.from_directory(tmp_path), {}, WriteOptions()).image
    assert [entry.path for entry in read_image(image).entries] == ["/"]
    assert check_image(image).findings == ()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kernel", ["patched", "mainline"])
def test_a_page_in_place_costs_at_most_eight_bytes_more_than_it_must(
    tmp_path: Path, share: float, kernel: KernelModel
) -> None:
    rng = random.Random(SEED)
    words = [rng.randbytes(rng.randrange(2, 9)) for _ in range(60)]
    for number in range(30):
        text = b"".join(rng.choices(words, k=rng.randrange(20_000)))
        (tmp_path / f"file{number}").write_bytes(text)
    tree = Tree.from_directory(tmp_path)
    plan = {
        node.path: [page for page in range(node.pages) if rng.random() < share]
        for node in tree.files()
    }
    plain = write_image(tree, {}, WriteOptions()).image
    written = write_image(tree, plan, WriteOptions(kernel=kernel))
    stored = {entry.path: read_image(plain).blocks(entry) for entry in read_image(plain).entries}
    placed = [stored[path][page] for path, pages in written.in_place.items() for page in pages]
    assert len(placed) == written.xip_pages
    unavoidable = sum(PAGE_SIZE - block.stored for block in placed)
    # An image is whole pages, so either may have been rounded up by almost one.
    assert len(written.image) - len(plain) <= unavoidable + 8 * len(placed) + PAGE_SIZE - 1


def test_files_that_differ_in_owner_or_mode_only_are_different_inodes(tmp_path: Path) -> None:
    for name, mode in (("plain", 0o755), ("setuid", 0o4755), ("twin", 0o755)):
        (tmp_path / name).write_bytes(b"content")
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("content")
    image = read_image(write_image(Tree.from_directory(tmp_path), {}, WriteOptions()).image)
    numbers = {entry.path: entry.ino for entry in image.entries}
    assert numbers["/plain"] == numbers["/twin"]
    assert len({numbers["/plain"], numbers["/setuid"], numbers["/link"]}) == 3


def test_the_last_name_is_never_where_a_mapped_flash_reads_zeros(tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"{number:08}").touch()
        image = write_image(Tree.from_directory(tmp_path), {}, WriteOptions()).image
        assert check_image(image).findings == ()


def test_no_partial_page_that_is_not_in_place_looks_as_if_it_were(tmp_path: Path) -> None:
    """The last page of /b is incompressible; a file before it moves it past every place in a
    page."""
    noise = random.Random(SEED).randbytes(3 * PAGE_SIZE)
    (tmp_path / "b").write_bytes(noise[: PAGE_SIZE + 1500])
    (tmp_path / "c").write_bytes(b"behind it " * 200)
    for size in range(1, PAGE_SIZE, 4):
        (tmp_path / "a").write_bytes(noise[:size])
        written = write_image(
            Tree.from_directory(tmp_path), {"/b": [0]}, WriteOptions(extended=True)
        )
        assert check_image(written.image).findings == ()


def test_zopfli_is_smaller_and_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(
        b"".join(b"%d squared is %d\n" % (n, n * n) for n in range(2_000))
    )
    tree = Tree.from_directory(tmp_path)
    best, smaller = (
        read_image(write_image(tree, {}, WriteOptions(level=12, zopfli=zopfli)).image)
        for zopfli in (False, True)
    )
    entry = smaller.entries[1]
    assert smaller.read(entry) == (tmp_path / "text").read_bytes()
    stored = [sum(block.stored for block in image.blocks(entry)) for image in (smaller, best)]
    assert stored[0] < stored[1]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = fill(tmp_path, random.Random(SEED))
    plan = any_plan(contents, random.Random(SEED))
    first, second = (
        write_image(Tree.from_directory(tmp_path), plan, WriteOptions()).image for _ in range(2)
    )
    assert first == second


def test_a_stock_kernel_is_never_given_a_block_that_it_reads_as_zeros(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(random.Random(SEED).randbytes(2 * PAGE_SIZE))
    written = write_image(
        Tree.from_directory(tmp_path), {"/whole": [0, 1]}, WriteOptions(kernel="mainline")
    )
    assert [(refusal.path, refusal.page) for refusal in written.refused] == [("/whole", 1)]
    image = read_image(written.image)
    assert [block.in_place for block in image.blocks(image.entries[1])] == [True, False]


def test_pages_that_do_not_exist_are_listed(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")
    written = write_image(
        Tree.from_directory(tmp_path), {"/one": [0, 7], "/gone": [3]}, WriteOptions()
    )
    assert [(refusal.path, refusal.page) for refusal in written.refused] == [
        ("/one", 7),
        ("/gone", 3),
    ]


def test_util_linux_finds_nothing_wrong_with_a_plain_image(tmp_path: Path) -> None:
    fill(tmp_path / "root", random.Random(SEED))
    image = tmp_path / "image"
    image.write_bytes(
        write_image(Tree.from_directory(tmp_path / "root"), {}, WriteOptions()).image
    )
    subprocess.run(["fsck.cramfs", image], check=True)


def test_images_of_util_linux_are_read_byte_for_byte(tmp_path: Path) -> None:
    contents = fill(tmp_path / "root", random.Random(SEED))
    image = tmp_path / "image"
    subprocess.run(["mkfs.cramfs", tmp_path / "root", image], check=True)
    parsed = read_image(image.read_bytes())
    assert {e.path: parsed.read(e) for e in parsed.entries if e.kind is EntryKind.FILE} == contents


def too_big(top: Path) -> None:
    with (top / "big").open("wb") as file:
        file.truncate(1 << 24)


def too_long(top: Path) -> None:
    (top / ("n" * 253)).touch()


def too_high_a_group(top: Path) -> None:
    (top / "theirs").touch()
    os.chown(top / "theirs", 0, 256)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (too_big, "/big: size in bytes"),
        (too_long, "length of the name"),
        (too_high_a_group, "/theirs: gid is 256"),
    ],
)
def test_what_cramfs_cannot_hold_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None], named: str
) -> None:
    make(tmp_path)
    with pytest.raises(TreeError, match=named):
        Tree.from_directory(tmp_path)


def test_a_broken_image_raises_nothing_but_our_own_error(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    contents = fill(tmp_path, rng)
    good = write_image(
        Tree.from_directory(tmp_path), any_plan(contents, rng), WriteOptions()
    ).image
    for _ in range(3_000):
        broken = bytearray(good)
        for _ in range(rng.randrange(1, 8)):
            broken[rng.randrange(rng.choice((76, 2_000, len(broken))))] = rng.randrange(256)
        try:
            image = read_image(bytes(broken))
            for entry in image.entries:
                image.read(entry)
        except ImageError:
            continue


@pytest.mark.parametrize("size", [0, 75, 76, 4096])
def test_a_truncated_image_is_said_to_be_one(tmp_path: Path, size: int) -> None:
    fill(tmp_path, random.Random(SEED))
    good = write_image(Tree.from_directory(tmp_path), {}, WriteOptions()).image
    with pytest.raises(ImageError, match="cut short" if size >= 76 else "not a cramfs image"):
        read_image(good[:size])
