# SPDX-License-Identifier: MIT
"""Result files: put in place whole or not at all, never over an input or a recording."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tinyprof.capture.format import VERSIONS, magic
from tinyprof.disk import (
    RECORDING_MAGIC,
    DiskError,
    kept_safe,
    refuse_inputs,
    refuse_inside,
    replace_file,
)

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def fails_with(number: int) -> object:
    def sync(handle: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return sync


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Path]:
    """A block device of 16 KiB, full of ones."""
    (tmp_path / "flash").write_bytes(b"\xff" * 16_384)
    command = ["losetup", "--find", "--show", str(tmp_path / "flash")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    yield Path(made.stdout.strip())
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


@pytest.mark.parametrize("how", ["itself", "hard link", "symbolic link", "another spelling"])
def test_an_output_that_is_an_input_is_refused(tmp_path: Path, how: str) -> None:
    given = tmp_path / "given"
    given.write_bytes(b"input")
    output = {
        "itself": given,
        "another spelling": tmp_path / ".." / tmp_path.name / "given",
    }.get(how, tmp_path / "other")
    if how == "hard link":
        output.hardlink_to(given)
    if how == "symbolic link":
        output.symlink_to(given)
    with pytest.raises(DiskError, match="is read here and would be replaced"):
        refuse_inputs(output, [tmp_path / "missing", given])


def test_an_output_of_its_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"same")
    (tmp_path / "output").write_bytes(b"same")
    refuse_inputs(tmp_path / "output", [tmp_path / "given"])
    refuse_inputs(tmp_path / "new", [tmp_path / "given"])
    refuse_inputs(Path(os.devnull), [Path(os.devnull)])


def test_an_output_inside_the_folder_that_is_packed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root/boot").mkdir(parents=True)
    (tmp_path / "link").symlink_to("root/boot")
    for output in (tmp_path / "root/image", tmp_path / "link/image", tmp_path / "root/boot/image"):
        with pytest.raises(DiskError, match="would be packed into it"):
            refuse_inside(output, tmp_path / "root")
    refuse_inside(tmp_path / "rootfs.cramfs", tmp_path / "root")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recording_of_any_version_is_replaced_by_no_other_file(
    tmp_path: Path, version: int
) -> None:
    recording = tmp_path / "boot.tpcap"
    recording.write_bytes(magic(version) + b"line")
    with pytest.raises(DiskError, match="a recording, which is never overwritten"):
        replace_file(recording, b"{}")
    assert recording.read_bytes() == magic(version) + b"line"
    assert magic(version).startswith(RECORDING_MAGIC)


def test_a_recording_is_replaced_by_what_was_repaired_of_it(tmp_path: Path) -> None:
    recording = tmp_path / "boot.tpcap"
    recording.write_bytes(magic(2) + b"line and rubbish")
    replace_file(recording, magic(2) + b"line")
    assert recording.read_bytes() == magic(2) + b"line"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"before")
    image.chmod(mode)
    assert replace_file(image, b"after") == ""
    assert (stat.S_IMODE(image.stat().st_mode), image.read_bytes()) == (mode, b"after")


@AS_ROOT
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.touch()
    os.chown(image, 1234, 4321)
    replace_file(image, b"after")
    assert (image.stat().st_uid, image.stat().st_gid) == (1234, 4321)


def test_a_failed_write_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "image").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with pytest.raises(OSError, match="image"):
        replace_file(tmp_path / "image", b"after")
    assert (names(tmp_path), (tmp_path / "image").read_bytes()) == (["image"], b"before")


@AS_ROOT
def test_a_partition_that_is_too_small_keeps_every_byte(partition: Path) -> None:
    with pytest.raises(DiskError, match=rf"{partition} has 16384 bytes and 16385 are to be"):
        replace_file(partition, bytes(16_385))
    assert partition.read_bytes() == b"\xff" * 16_384


@AS_ROOT
def test_a_partition_that_is_large_enough_is_written(partition: Path) -> None:
    assert replace_file(partition, bytes(8192)) == ""
    assert partition.read_bytes() == bytes(8192) + b"\xff" * 8192


@AS_ROOT
def test_a_disk_that_fails_after_a_write_to_a_device_is_reported(
    partition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with pytest.raises(OSError, match=partition.name):
        replace_file(partition, bytes(10))


def test_a_pipe_takes_what_it_is_given(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        replace_file(tmp_path / "pipe", b"image")
        assert reader.communicate()[0] == b"image"


IN_PLACE = """
import sys
from pathlib import Path
from tinyprof.disk import replace_file
print(replace_file(Path(sys.argv[1]), b"after"))
"""


@AS_ROOT
def test_a_file_that_is_a_mount_point_is_written_in_place_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"before, and longer")
    (tmp_path / "image").touch()
    mounted = f'mount --bind {tmp_path}/source {tmp_path}/image && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mounted, "sh", sys.executable, "-c", IN_PLACE]
    done = subprocess.run(
        [*command, str(tmp_path / "image")], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount name space: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(
        "image: written in place: its folder lets no file be replaced"
    )
    assert (tmp_path / "source").read_bytes() == b"after"


def test_a_file_in_a_folder_that_takes_no_other_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "image").write_bytes(b"before, and longer")

    # Root may write into every folder, so the system's answer is played.
    def refuses(path: str | Path, flags: int, mode: int = 0o777) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuses)
    assert "written in place" in replace_file(tmp_path / "image", b"after")
    assert (tmp_path / "image").read_bytes() == b"after"


def test_a_disk_that_did_not_keep_what_was_written_says_so_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with (
        (tmp_path / "it").open("wb", buffering=0) as file,
        pytest.raises(DiskError, match=r"it: .* kept .*: Input/output error"),
        kept_safe(file),
    ):
        file.write(b"all")


def test_what_cannot_be_synced_is_no_fault_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fails_with(errno.EINVAL))
    with (tmp_path / "it").open("wb", buffering=0) as file, kept_safe(file):
        file.write(b"all")
