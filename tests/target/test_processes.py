# SPDX-License-Identifier: MIT
"""How many processes map a file at once: what the kernel counts is what runs, and ends up in the
profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from target.booting import KERNELS, RECORD_FROM_THE_START, Demo, leave_to_test_all, record
from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.resolve import make_profile

LIBRARIES = "/lib/arm-linux-gnueabihf"


@pytest.mark.parametrize("version", KERNELS)
def test_a_profile_knows_how_many_processes_map_each_file(
    demo: Demo, tmp_path: Path, version: str
) -> None:
    """Ten more wait at the end: lua, sqlite3 and sh in turn, so that there are 4, 3 and 3."""
    leave_to_test_all(version)
    image = demo.folder / "all-compressed.cramfs"
    words = f"{RECORD_FROM_THE_START} WORKLOAD_PROCESSES=10 WORKLOAD_ROUNDS=1"
    recording = record(
        image,
        tmp_path / "capture",
        "--version",
        version,
        "--append",
        words,
        options=("--image", image),
    )
    assert recording.code == 0, recording.said
    with recording.capture.open("rb") as file:
        found = {use.path: use.processes for use in make_profile([CaptureReader(file)]).files}
    print(found)
    assert (found["/usr/bin/lua5.4"], found["/usr/bin/sqlite3"]) == (4, 3)
    assert found[f"/usr{LIBRARIES}/libsqlite3.so.0.8.6"] == 3
    # One waits for requests, and forks for a script.
    assert found["/usr/sbin/lighttpd"] in (1, 2)
    # The shells, init among them, and what they start at that moment.
    assert 4 <= (found["/bin/busybox"] or 0) <= 12
    assert 12 <= (found[f"{LIBRARIES}/libc.so.6"] or 0) <= 20
    assert found["/etc/passwd"] is None
