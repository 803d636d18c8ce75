# SPDX-License-Identifier: MIT
"""tinyprof image as a user meets it: sound images, damaged ones, and dumps."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.cramfs_cases import Case, File
from support.elf_cases import Shape, for_riscv, link
from support.hostile_images import holes_under_many_names
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text("image", *words)


@pytest.fixture
def data() -> bytearray:
    files = {"/abcd": File(b"first"), "/efgh": File(random.Random(1).randbytes(12_800))}
    case = Case(0, files=files, links={"/link": b"efgh"})
    return bytearray(write_image(case.tree(), {"/efgh": [0, 1]}, WriteOptions()).image)


@pytest.fixture
def image(tmp_path: Path, data: bytearray) -> Path:
    (tmp_path / "image").write_bytes(data)
    return tmp_path / "image"


@pytest.fixture
def damaged(tmp_path: Path, data: bytearray) -> Path:
    """One name with a slash in it, and one file whose block pointers lead outside."""
    big = next(entry for entry in read_image(bytes(data)).entries if entry.path == "/efgh")
    struct.pack_into("<I", data, big.ino + 8, 0x3FFFFFFF)
    at = data.index(b"abcd")
    data[at : at + 4] = b"a/cd"
    (tmp_path / "damaged").write_bytes(data)
    return tmp_path / "damaged"


def test_code_in_place_is_mapped_by_a_mended_riscv_kernel_alone(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/program").write_bytes(for_riscv(link(Shape())))
    tree, image = Tree.from_directory(tmp_path / "tree"), tmp_path / "riscv"
    image.write_bytes(write_image(tree, {"/program": [2, 5]}, WriteOptions(riscv_code=True)).image)
    for words, mapped in (((), 0), (("--riscv-code",), 2)):
        facts = json.loads(run("info", "--json", *words, image).stdout)
        assert (facts["pages_in_place"], facts["mapped"]["patched"]) == (2, mapped)
        checked = json.loads(run("check", "--json", "--kernel", "patched", *words, image).stdout)
        assert (checked["in_place"], checked["mapped"]) == (2, mapped)
        assert len(checked["findings"]) == (not mapped)


def test_a_sound_image_is_shown_listed_and_checked(image: Path) -> None:
    facts = json.loads(run("info", "--json", image).stdout)
    assert (facts["files"], facts["pages_in_place"], facts["unreadable_files"]) == (2, 2, 0)
    assert run("ls", image).stdout.split() == ["/", "/abcd", "/efgh", "/link"]
    listed = json.loads(run("ls", "--json", image).stdout)
    assert [entry.get("in_place") for entry in listed] == [None, [], [0, 1], None]
    assert listed[3]["target"] == "efgh"
    assert " 2/4 /efgh\n" in run("ls", "-l", image).stdout
    assert run("check", image).stderr.endswith("nothing wrong; 4 names, 6 pages\n")


def test_info_goes_on_after_a_fault_and_ends_with_1(damaged: Path) -> None:
    done = run("info", damaged)
    assert done.returncode == 1
    assert "name Compressed\n" in done.stdout
    assert "1 file cannot be read" in " ".join(done.stdout.split())
    assert "has an impossible name" in done.stderr


@pytest.mark.parametrize("words", [[], ["-l"], ["--json"]])
def test_ls_goes_on_after_a_fault_and_ends_with_1(damaged: Path, words: list[str]) -> None:
    done = run("ls", *words, damaged)
    assert done.returncode == 1
    assert "/efgh" in done.stdout
    assert "/link" in done.stdout
    assert "has an impossible name" in done.stderr
    if words:
        assert "tinyprof: /efgh: page 2 is stored outside the image" in done.stderr
    if words == ["--json"]:
        assert [entry.get("in_place") for entry in json.loads(done.stdout)] == [None] * 3


def test_extract_goes_on_after_a_fault_and_ends_with_1(damaged: Path, tmp_path: Path) -> None:
    done = run("extract", damaged, tmp_path / "out")
    assert done.returncode == 1
    assert "has an impossible name" in done.stderr
    assert "tinyprof: /efgh: not extracted: page 2 is stored outside" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["link"]


@pytest.mark.parametrize("spelled", ["262144", "256K", "0x40000", "0X40000"])
def test_the_place_in_a_dump_may_be_spelled_in_several_ways(
    tmp_path: Path, data: bytearray, spelled: str
) -> None:
    (tmp_path / "dump").write_bytes(b"\xff" * 262_144 + data + b"\xff" * 5_000)
    for words in (["info"], ["ls"], ["check"]):
        assert run(*words, "--offset", spelled, tmp_path / "dump").returncode == 0


@pytest.mark.parametrize("command", [["info"], ["ls"], ["check"]])
def test_the_place_that_is_named_is_the_place_to_give(
    tmp_path: Path, data: bytearray, command: list[str]
) -> None:
    (tmp_path / "dump").write_bytes(b"\xff" * 70_000 + data)
    done = run(*command, "--offset", "4K", tmp_path / "dump")
    assert done.returncode == 1
    assert "not a cramfs image at byte 4096; it holds one at byte 70000" in (
        done.stdout + done.stderr
    )


def test_thousands_of_names_of_one_file_are_listed_at_once(tmp_path: Path) -> None:
    """2,000 names of one file of 4,095 holes: 16 GB in 80 KB."""
    (tmp_path / "image").write_bytes(holes_under_many_names(80_000))
    assert len(run("ls", "-l", tmp_path / "image").stdout.splitlines()) == 2_001
    assert len(json.loads(run("ls", "--json", tmp_path / "image").stdout)) == 2_001


def test_an_image_of_larger_blocks_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/text").write_bytes(b"".join(b"%d " % n for n in range(60_000)))
    words: list[str | Path] = ["mkfs.cramfs", "-b", "16384", tmp_path / "root", tmp_path / "image"]
    subprocess.run(words, check=True, capture_output=True)
    for command in ("info", "ls", "check"):
        done = run(command, tmp_path / "image")
        assert done.returncode == 1
        assert "its blocks have 16 KiB, not 4 KiB" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["info", "ls", "check"])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == f"tinyprof: {tmp_path / 'none'}: No such file or directory\n"


def test_plurals_are_right(image: Path, data: bytearray) -> None:
    image.write_bytes(data[:-1] + b"\1")
    assert "1 error, 0 warnings; " in run("check", image).stderr
