# SPDX-License-Identifier: MIT
"""`tinyprof doctor` on images, folders, captures and profiles, alone and against each other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support.doctor import Doctor
from support.elf_cases import Shape, for_riscv, link
from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cli.doctor.images import mapped_pages
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.measure import measure
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.tprof import dump_profile
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Message

STOCK_CONFIG = b"# Linux/arm 6.1.192 Kernel Configuration\nCONFIG_MMU=y\nCONFIG_CRAMFS=y\n"
PATCHED_CONFIG = STOCK_CONFIG + b"CONFIG_CRAMFS_XIP_FAULT=y\n"


Build = Callable[..., Path]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    top = tmp_path / "programs"
    top.mkdir()
    (top / "program").write_bytes(link(Shape(pages=12)))
    return top


@pytest.fixture
def build(programs: Path, tmp_path: Path) -> Build:
    """Builds an image for a kernel with these pages of /program in place."""

    def build(pages: list[int], kernel: KernelModel = "patched") -> Path:
        options = WriteOptions(kernel=kernel)
        chosen: Mapping[str, list[int]] = {"/program": pages}
        path = tmp_path / f"{kernel}.cramfs"
        path.write_bytes(write_image(Tree.from_directory(programs), chosen, options).image)
        return path

    return build


def test_an_image_without_pages_in_place_suits_any_kernel(
    doctor: Doctor, image_file: Path
) -> None:
    answer = doctor(image_file)
    assert answer.code == 0
    assert "on any kernel" in answer.text("in place")


def test_an_image_for_a_patched_kernel_is_told_from_others(
    doctor: Doctor, build: Build, tmp_path: Path
) -> None:
    image = build([2, 5])
    answer = doctor(image)
    assert answer.code == 3
    assert "patched 2, mainline 0" in answer.text("in place")
    assert "--split-segments" in answer.text("in place")
    assert doctor("--kernel", "patched", image).code == 0
    assert doctor("--kernel", "mainline", image).code == 1


@pytest.mark.parametrize(("config", "state"), [(STOCK_CONFIG, "broken"), (PATCHED_CONFIG, "ok")])
def test_an_image_is_held_against_the_kernel_beside_it(
    doctor: Doctor, build: Build, tmp_path: Path, config: bytes, state: str
) -> None:
    (tmp_path / ".config").write_bytes(config)
    assert doctor(build([2, 5]), tmp_path / ".config").states("in place") == [state]


def test_pages_mapped_are_those_that_the_kernel_model_allows(build: Build) -> None:
    image = read_image(build([0, 1, 3, 7]).read_bytes())
    mapped = mapped_pages(image)
    assert mapped.by["patched"] == mapped.in_place
    assert 0 < mapped.by["mainline"] < mapped.in_place


def test_pages_are_counted_as_image_info_counts_them(build: Build, programs: Path) -> None:
    # A page of zeros in place serves the other page of zeros, too.
    data = (programs / "program").read_bytes()
    (programs / "program").write_bytes(data.ljust(16 * 4096, b"\0") + bytes(2 * 4096 + 1))
    image = read_image(build([16]).read_bytes())
    shared = [block for entry in image.entries for block in image.blocks(entry) if block.in_place]
    assert (len(shared), mapped_pages(image).in_place, measure(image).in_place_pages) == (2, 1, 1)


def test_a_broken_image_is_broken(doctor: Doctor, image_file: Path) -> None:
    data = bytearray(image_file.read_bytes())
    data[len(data) // 2] ^= 1
    image_file.write_bytes(data)
    assert doctor(image_file).code == 1


def test_a_cut_image_is_broken(doctor: Doctor, image_file: Path) -> None:
    image_file.write_bytes(image_file.read_bytes()[:-4096])
    assert doctor(image_file).states("image") == ["broken"]


def test_a_folder_of_programs_is_well(doctor: Doctor, programs: Path) -> None:
    assert doctor(programs).code == 0


def test_a_folder_that_does_not_fit_says_why(doctor: Doctor, programs: Path) -> None:
    with (programs / "big").open("wb") as file:
        file.truncate(16 << 20)
    answer = doctor(programs)
    assert answer.code == 1
    assert "/big" in answer.text("folder")


def test_an_owner_without_room_is_to_look_at(doctor: Doctor, programs: Path) -> None:
    os.chown(programs / "program", 0, 300)
    assert doctor(programs).states("owners") == ["look"]


def test_programs_for_riscv_are_told(doctor: Doctor, programs: Path) -> None:
    path = programs / "program"
    path.write_bytes(for_riscv(path.read_bytes()))
    assert "RISC-V" in doctor(programs).text("programs")


def test_programs_for_a_mended_riscv_kernel_are_well(doctor: Doctor, programs: Path) -> None:
    path = programs / "program"
    path.write_bytes(for_riscv(path.read_bytes()))
    assert doctor("--riscv-code", programs).code == 0


def test_code_in_place_is_for_a_mended_riscv_kernel_alone(
    doctor: Doctor, programs: Path, tmp_path: Path
) -> None:
    path = programs / "program"
    path.write_bytes(for_riscv(path.read_bytes()))
    options = WriteOptions(riscv_code=True)
    image = tmp_path / "riscv.cramfs"
    image.write_bytes(
        write_image(Tree.from_directory(programs), {"/program": [2, 5]}, options).image
    )
    answer = doctor("--kernel", "patched", image)
    assert answer.code == 1
    assert "--riscv-code" in answer.text("in place")
    assert doctor("--kernel", "patched", "--riscv-code", image).code == 0


def test_the_agent_in_a_folder_is_worth_knowing(doctor: Doctor, programs: Path) -> None:
    (programs / "sbin").mkdir()
    shutil.copy(programs / "program", programs / "sbin/tinyprof-agent")
    answer = doctor(programs)
    assert (answer.code, answer.states("agent")) == (0, ["note"])


def test_a_capture_tells_who_recorded_it(doctor: Doctor, capture: Path) -> None:
    answer = doctor(capture)
    assert answer.states("agent") == ["ok"]
    assert answer.states("image") == ["ok"]
    assert answer.states("epochs") == ["look"]
    assert answer.code == 3


def test_a_capture_without_a_hello_is_broken(
    doctor: Doctor, tmp_path: Path, story: list[Message]
) -> None:
    path = tmp_path / "late.tpcap"
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file)
        for seq, message in enumerate(story[1:], start=1):
            writer.line(encode_message(message, seq))
        writer.end(Ending.LINE_ENDED)
    answer = doctor(path)
    assert answer.code == 1
    assert "no hello" in answer.text("agent")


def test_a_cut_capture_is_to_look_at(doctor: Doctor, capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])
    assert doctor(capture).states("capture") == ["look"]


def test_a_capture_of_another_image_is_broken(doctor: Doctor, capture: Path, build: Build) -> None:
    answer = doctor(capture, build([2, 5]))
    assert answer.code == 1
    assert "give the image that was in flash" in str(answer.checks)


@pytest.fixture
def profile(
    capture_of: Callable[..., CaptureReader],
    story: list[Message],
    index: ImageIndex,
    tmp_path: Path,
) -> Path:
    made: Profile = make_profile([capture_of(story, index)], index)
    path = tmp_path / "it.tprof"
    path.write_text(dump_profile(made))
    return path


def test_a_profile_of_this_folder_is_found_in_it(
    doctor: Doctor, profile: Path, rootfs: Path
) -> None:
    answer = doctor(profile, rootfs)
    assert answer.states(f"in {rootfs}") == ["ok"]


def test_a_stale_profile_is_to_look_at(doctor: Doctor, profile: Path, rootfs: Path) -> None:
    data = bytearray((rootfs / "program").read_bytes())
    data[3 * 4096] ^= 1
    (rootfs / "program").write_bytes(data)
    answer = doctor(profile, rootfs)
    assert answer.states(f"in {rootfs}") == ["look"]
    assert "33.3 %" in answer.text(f"in {rootfs}")


def test_a_profile_of_another_folder_is_broken(
    doctor: Doctor, profile: Path, programs: Path
) -> None:
    (programs / "program").rename(programs / "renamed")
    answer = doctor(profile, programs)
    assert (answer.code, answer.states(f"in {programs}")) == (1, ["broken"])


@pytest.mark.parametrize("data", [b"", b"plain text\n", bytes(5000), b"{}", b"{" * 9999])
def test_a_file_of_another_kind_is_broken(doctor: Doctor, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "it").write_bytes(data)
    assert doctor(tmp_path / "it").code == 1


def test_a_name_without_a_file_is_broken(doctor: Doctor, tmp_path: Path) -> None:
    assert doctor(tmp_path / "missing").code == 1
    assert json.dumps(doctor("odd\x1bname").checks)
