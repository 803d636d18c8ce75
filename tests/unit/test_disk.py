# SPDX-License-Identifier: MIT
"""Result files: what the disk says of them is heard."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from tinyprof.disk import DiskError, kept_safe


def fails_with(number: int) -> object:
    def sync(handle: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return sync


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
