# SPDX-License-Identifier: MIT
"""From a line to a plan: what the target sent is stored, its losses known, and its hot pages found."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest

from tinyprof.capture import CaptureError, CaptureWriter, read_capture
from tinyprof.cramfs import EntryKind, Image, Tree, WriteOptions, read_image, write_image
from tinyprof.link import open_link
from tinyprof.plan import plan_hot
from tinyprof.profile import ProfileError, dump_profile, load_profile, make_profile
from tinyprof.recorder import Totals, record
from tinyprof.wire import EpochEnd, Hello, Kind, Message, Pages, Volume, encode_message

PAGE = 4096


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    top = tmp_path / "root"
    top.mkdir()
    (top / "program").write_bytes(random.Random(20261124).randbytes(8 * PAGE))
    return top


@pytest.fixture
def image(rootfs: Path) -> Image:
    return read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)


def story(image: Image) -> list[Message]:
    (program,) = (entry for entry in image.entries if entry.kind is EntryKind.FILE)
    ids = tuple(program.page_id(index) for index in (0, 3, 3, 5))
    kinds = bytes([Kind.FILE, Kind.EXEC, Kind.FILE, Kind.WRITE])
    volume = Volume(0, image.superblock.fsid, image.superblock.size, "Compressed", True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE, bytes(8), 1000, 1, (volume,))
    return [hello, Pages(0, 1, 5, ids, kinds), EpochEnd(0, 1, 9, (1, 0, 1, 2))]


def recorded(tmp_path: Path, line: bytes) -> tuple[Totals, bytes]:
    (tmp_path / "line").write_bytes(line)
    file = io.BytesIO()
    link = open_link(os.fspath(tmp_path / "line"))
    try:
        return record(link, CaptureWriter(file)), file.getvalue()
    finally:
        link.close()


def line_of(messages: list[Message]) -> list[bytes]:
    return [encode_message(message, seq) for seq, message in enumerate(messages)]


def test_a_recording_holds_what_was_sent(tmp_path: Path, image: Image) -> None:
    totals, data = recorded(tmp_path, b"".join(line_of(story(image))))
    assert totals.lossless
    assert list(read_capture(data).messages) == story(image)


def test_a_lost_frame_is_counted_in_records(tmp_path: Path, image: Image) -> None:
    hello, _, end = line_of(story(image))
    totals, data = recorded(tmp_path, hello + end)
    assert (totals.lost_frames, totals.missing_records) == (1, 4)
    assert read_capture(data).lost_frames == 1


def test_console_text_is_kept_in_the_capture(tmp_path: Path, image: Image) -> None:
    hello, *rest = line_of(story(image))
    _, data = recorded(tmp_path, hello + b"login: " + b"".join(rest))
    assert read_capture(data).console == b"login: "


def test_a_capture_cut_anywhere_keeps_every_whole_chunk(tmp_path: Path, image: Image) -> None:
    _, data = recorded(tmp_path, b"".join(line_of(story(image))))
    for size in range(8, len(data)):
        cut = read_capture(data[:size])
        assert cut.messages == ()
        assert size == 8 or cut.cut_at == 8
    with pytest.raises(CaptureError):
        read_capture(data[:7])


def test_only_mapped_pages_are_worth_their_flash(tmp_path: Path, rootfs: Path, image: Image) -> None:
    _, data = recorded(tmp_path, b"".join(line_of(story(image))))
    profile = make_profile([read_capture(data)], image)
    assert plan_hot(profile, Tree.from_directory(rootfs)).pages == {"/program": [3]}


def test_a_profile_read_back_is_the_same(tmp_path: Path, image: Image) -> None:
    _, data = recorded(tmp_path, b"".join(line_of(story(image))))
    profile = make_profile([read_capture(data)], image)
    assert load_profile(dump_profile(profile)) == profile


def test_a_changed_file_is_stale_and_stays_compressed(tmp_path: Path, rootfs: Path, image: Image) -> None:
    _, data = recorded(tmp_path, b"".join(line_of(story(image))))
    profile = make_profile([read_capture(data)], image)
    (rootfs / "program").write_bytes(b"another version")
    plan = plan_hot(profile, Tree.from_directory(rootfs))
    assert (plan.pages, plan.stale) == ({}, ("/program",))


def test_a_capture_of_another_image_is_refused_naming_both(
    tmp_path: Path, rootfs: Path, image: Image
) -> None:
    _, data = recorded(tmp_path, b"".join(line_of(story(image))))
    other = read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions(edition=7)).image)
    with pytest.raises(ProfileError, match=f"{image.superblock.fsid}.*{other.superblock.fsid}"):
        make_profile([read_capture(data)], other)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format":2}', '{"format":1,"files":[1]}', "[" * 99_999]
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfileError):
        load_profile(text)
