# SPDX-License-Identifier: MIT
"""Extraction makes the files of an image, and never anything outside its directory."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.cramfs_cases import Case, File, make_case
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.reading import extractor
from tinyprof.cramfs.reading.extractor import extract_image
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE


def image_of(case: Case) -> Image:
    return read_image(write_image(case.tree(), case.plan, case.options).image)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_extracted_is_what_went_in(tmp_path: Path, seed: int) -> None:
    case = make_case(seed)
    extracted = extract_image(image_of(case), tmp_path / "out")
    assert extracted.failed == ()
    for path, file in case.files.items():
        out = tmp_path / "out" / path[1:]
        assert out.read_bytes() == file.content
        assert stat.S_IMODE(out.stat().st_mode) == file.mode & 0o777
    for path, target in case.links.items():
        assert os.fsencode((tmp_path / "out" / path[1:]).readlink()) == target


def test_a_link_out_of_the_directory_is_not_written_through(tmp_path: Path) -> None:
    """Two names of the image are equal: a link to a directory outside, and a directory with a file
    in it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    case = Case(
        0,
        links={"/aa": os.fsencode(outside)},
        directories=["/ab"],
        files={"/ab/file": File(b"evil")},
    )
    case.options = WriteOptions(pad=False)
    image = bytearray(write_image(case.tree(), {}, case.options).image)
    image[image.index(b"ab\0\0") + 1] = ord("a")
    extracted = extract_image(read_image(bytes(image)), tmp_path / "out")
    assert list(outside.iterdir()) == []
    assert {path for path, _ in extracted.failed} == {"/aa", "/aa/file"}


@pytest.mark.parametrize("name", [b"..\0\0", b".\0\0\0", b"a/b\0", b"/etc", b"a\0b\0"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: bytes) -> None:
    image = bytearray(
        write_image(Case(0, files={"/abcd": File(b"x")}).tree(), {}, WriteOptions()).image
    )
    at = image.index(b"abcd")
    image[at : at + 4] = name
    with pytest.raises(ImageError, match="impossible name"):
        read_image(bytes(image))


def test_the_target_must_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="not empty"):
        extract_image(image_of(Case(0)), tmp_path)


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    case = Case(0, files={"/bad": File(b"b" * 5_000), "/good": File(b"good")})
    image = bytearray(write_image(case.tree(), {}, case.options).image)
    (bad,) = (entry for entry in read_image(bytes(image)).entries if entry.path == "/bad")
    struct.pack_into("<I", image, bad.ino, 0xFFFFFF)
    extracted = extract_image(read_image(bytes(image)), tmp_path / "out")
    assert [path for path, _ in extracted.failed] == ["/bad"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["good"]


def test_more_than_the_disk_holds_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: replace_free(free))
    with pytest.raises(ImageError, match="no room"):
        extract_image(
            image_of(Case(0, files={"/file": File(bytes(3 * PAGE_SIZE))})), tmp_path / "out"
        )
    assert list((tmp_path / "out").iterdir()) == []


def replace_free(free: os.statvfs_result) -> os.statvfs_result:
    return os.statvfs_result((free[0], 1, free[2], 1, 1, *free[5:]))


def test_devices_and_set_user_id_are_left_out_without_being_asked_for(tmp_path: Path) -> None:
    case = Case(0, files={"/su": File(b"su", 0o4755)}, table="/null c 666 0 0 1 3 0 0 -")
    extracted = extract_image(image_of(case), tmp_path / "out")
    assert extracted.skipped == (("/null", "a device"),)
    assert stat.S_IMODE((tmp_path / "out" / "su").stat().st_mode) == 0o755


def test_an_inserted_padded_image_inside_a_dump_is_extracted(tmp_path: Path) -> None:
    case = make_case(3)
    case.options = replace(case.options, pad=True, insert=b"kernel" * 1_000)
    image = write_image(case.tree(), case.plan, case.options).image
    assert image[512 + 76 :].startswith(b"kernelkernel")
    dump = b"\xff" * 70_001 + image + b"\xff" * 70_001
    extract_image(read_image(dump, 70_001), tmp_path / "out")
    for path, file in case.files.items():
        assert (tmp_path / "out" / path[1:]).read_bytes() == file.content
    with pytest.raises(ImageError, match="70001"):
        read_image(dump)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    table = "/null c 666 5 6 1 3 0 0 -\n/pipe p 622 0 0 - - - - -\n/folder d 1777 0 0\n"
    case = Case(0, files={"/file": File(b"x", 0o666)}, table=table)
    extracted = extract_image(image_of(case), tmp_path / "out", owners=True, devices=True)
    assert extracted.failed == ()
    found = {path.name: path.lstat() for path in (tmp_path / "out").iterdir()}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in found.items()} == {
        "null": 0o666,
        "pipe": 0o622,
        "folder": 0o1777,
        "file": 0o666,
    }
    assert (found["null"].st_uid, found["null"].st_gid) == (5, 6)
    assert found["null"].st_rdev == os.makedev(1, 3)


def test_all_times_are_those_that_fsck_sets(tmp_path: Path) -> None:
    case = Case(0, directories=["/d"], files={"/d/f": File(b"x")}, links={"/l": b"d/f"})
    image = tmp_path / "image"
    image.write_bytes(write_image(case.tree(), {}, case.options).image)
    extract_image(read_image(image.read_bytes()), tmp_path / "ours")
    command: list[str | Path] = ["fsck.cramfs", f"--extract={tmp_path / 'theirs'}", image]
    subprocess.run(command, check=True)
    assert [(tmp_path / out / "d/f").stat().st_mtime for out in ("ours", "theirs")] == [0, 0]
    assert [(tmp_path / "ours" / name).lstat().st_mtime for name in ("d", "l")] == [0, 0]


def test_what_the_system_refuses_does_not_stop_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(
        0, files={"/a": File(b"a", 0o4755), "/z": File(b"z")}, links={"/link": b"t" * 4000}
    )
    image = bytearray(write_image(case.tree(), {}, case.options).image)
    (link,) = (entry for entry in read_image(bytes(image)).entries if entry.path == "/link")
    struct.pack_into("<I", image, link.at + 4, 4096)
    extracted = extract_image(read_image(bytes(image)), tmp_path / "out")
    assert extracted.failed == (("/link", "a link of 4096 bytes is cut to one page"),)
    assert (tmp_path / "out/z").read_bytes() == b"z"

    def refuse(*words: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    extracted = extract_image(read_image(bytes(image)), tmp_path / "again", owners=True)
    reason = "Operation not permitted: needs root"
    assert dict.fromkeys(("/a", "/z", "/"), reason).items() <= dict(extracted.unowned).items()
    assert [path for path, _ in extracted.failed] == ["/link"]
    # A set-user-ID bit would name the user.
    assert stat.S_IMODE((tmp_path / "again/a").stat().st_mode) == 0o755


def test_a_name_that_begins_with_a_dash_is_extracted(tmp_path: Path) -> None:
    case = Case(0, files={"/-rf": File(b"x")})
    assert extract_image(image_of(case), tmp_path / "out").failed == ()
    assert (tmp_path / "out" / "-rf").read_bytes() == b"x"


def test_zeros_become_holes_only_where_that_saves_something(tmp_path: Path) -> None:
    page = b"x" * PAGE_SIZE
    content = page + bytes(3 * PAGE_SIZE) + page + bytes(40 * PAGE_SIZE) + page[:17]
    extract_image(image_of(Case(0, files={"/file": File(content)})), tmp_path / "out")
    out = tmp_path / "out/file"
    assert out.read_bytes() == content
    assert out.stat().st_blocks * 512 < len(content) - 30 * PAGE_SIZE


def test_a_signal_in_the_middle_of_a_file_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"x" * (3 * extractor.CHUNK)
    written: list[int] = []

    def interrupt(handle: int, data: bytes, start: int) -> None:
        written.append(start)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(extractor, "_write_all", interrupt)
    case = Case(0, files={"/file": File(content)})
    with pytest.raises(KeyboardInterrupt):
        extract_image(image_of(case), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_refused_name_is_told_by_its_path_and_not_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: bytes, mode: int, dir_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", name)

    image = image_of(Case(0, directories=["/-rf"], files={"/-rf/file": File(b"x")}))
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(Path, "mkdir", lambda *words, **named: None)
    assert extract_image(image, tmp_path / "out").failed == (
        ("/-rf", "No space left on device"),
        ("/-rf/file", "its directory was not made"),
    )
