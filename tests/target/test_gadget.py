# SPDX-License-Identifier: MIT
"""A recording over USB: the agent behind a gadget's /dev/ttyGS0, `tinyprof record /dev/ttyACM0` in
front of it, both on one machine, and its cable is pulled again and again.

`make test-all` pulls it more often than `make test`."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.extent import ALL
from target.booting import BOARD, ROOT, TIMEOUT, TINYPROF
from target.test_sources import native_image
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import PAGE_SIZE
from tinyprof.wire.messages import EpochEnd, Pages
from tinyprof.wire.sequence import Frame

SCRIPT = Path(__file__).parent / "guest/gadget.py"
PAGES = 4000
REPLUGS, EPOCHS, RECORDS = (20, 60, 200_000) if ALL else (6, 20, 67_000)
"""How often the cable is pulled, how long the recording is, and how many records it has at least:
some 4,000 an epoch. At every fifth time the port comes back under another number."""

HOST = (
    "-fsdev local,id=host,path=/,security_model=none,readonly=on "
    "-device virtio-9p-pci,fsdev=host,mount_tag=host"
)
"""QEMU's words that show this machine's files to the guest, which may only read them."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the guest's script says of its recordings, run once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    told = shared / "gadget.json"
    with (shared / "gadget.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_result(tmp_path_factory.mktemp("gadget"))))
    return json.loads(told.read_text())


def _result(folder: Path) -> Any:
    """The words of the guest's script, and the contents of the captures that it made."""
    result = json.loads(_run(folder))
    for name in ("first", "second"):
        capture = folder / f"{name}.tpcap"
        capture.write_bytes(zlib.decompress(base64.b64decode(result[name])))
        result[name] = _contents(capture)
    return result


def _run(folder: Path) -> str:
    image = native_image(
        folder, "gcc", "x86_64-linux-gnu-", "gadget", pattern=bytes(PAGES * PAGE_SIZE)
    )
    words = {
        "init": "/sbin/tinyprof-agent",
        "cramfs.tinyprof": "1",
        # The result is a long line: no news of the cable may stand in it.
        "loglevel": "4",
        "TINYPROF_EPOCH": "500",
        "TINYPROF_TTY": "/dev/ttyGS0",
        "TINYPROF_BAUD": "0",
        "TINYPROF_WAIT": "1",
        "GUEST_PYTHON": sys.executable,
        "GUEST_SCRIPT": SCRIPT,
        "REPLUGS": REPLUGS,
        "EPOCHS": EPOCHS,
        "PYTHONPATH": f"{ROOT / 'host'}:{ROOT / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
    }
    append = " ".join(f"{name}={value}" for name, value in words.items())
    command: list[str | Path] = [BOARD, "run", image, "--arch", "amd64", "--mem", "256", *TIMEOUT]
    run = subprocess.run(
        [*command, "--qemu", HOST, "--append", append],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = [line for line in run.stdout.splitlines() if line.startswith("result ")]
    assert said, f"{run.stderr}\n{run.stdout[-3000:]}"
    return said[0].removeprefix("result ")


def _contents(capture: Path) -> dict[str, Any]:
    """What a capture holds: pages by volume and epoch, and each epoch's own count."""
    pages: Counter[int] = Counter()
    twice, wrong, epochs, total, before = 0, [], 0, 0, 0
    seen: set[tuple[int, int]] = set()
    with capture.open("rb") as file:
        for event in CaptureReader(file).events():
            message = event.message if isinstance(event, Frame) else None
            if isinstance(message, Pages):
                pages[message.epoch] += len(message.page_ids)
                touches = set(zip(message.page_ids, message.kinds, strict=True))
                twice += len(touches & seen) + len(message.page_ids) - len(touches)
                seen |= touches
            elif isinstance(message, EpochEnd):
                epochs += 1
                seen = set()
                total += pages[message.epoch]
                if before and (
                    sum(message.records) != pages[message.epoch]
                    or message.total != (before + sum(message.records)) % (1 << 32)
                ):
                    wrong.append((message.epoch, pages[message.epoch], message.records))
                before = message.total or 0
    command = [*TINYPROF, "capture", "info", "--json", str(capture)]
    info = subprocess.run(command, capture_output=True, text=True, check=False)
    causes = json.loads(info.stdout)
    return {
        "records": total,
        "epochs": epochs,
        "twice": twice,
        "wrong": wrong,
        "lossless": causes["lossless"],
        "gaps": len(causes["gaps"]),
        "causes": causes["causes"],
    }


def test_nothing_is_lost_or_counted_twice_however_often_the_cable_is_pulled(result: Any) -> None:
    first = result["first"]
    print(f"{first['records']} records in {first['epochs']} epochs, {result['replugs']} replugs")
    assert result["code"] == 0, result["said"]
    assert result["replugs"] == REPLUGS
    assert first["gaps"] == REPLUGS
    assert first["records"] >= RECORDS
    assert first["lossless"], first["causes"]
    assert first["twice"] == 0
    assert first["wrong"] == []


def test_a_port_that_comes_back_under_another_number_is_found(result: Any) -> None:
    assert result["ports"] == ["ttyACM0", "ttyACM1"]


def test_a_prober_that_takes_frames_away_costs_the_next_recording_no_frame(result: Any) -> None:
    assert result["answered to a modem's questions"] > 0
    second = result["second"]
    assert second["epochs"] == 3, result["said again"]
    assert second["causes"]["frames"] == second["causes"]["corrupt"] == 0
    # Of the epoch in which the first recording ended, that one has a part.
    assert len(second["wrong"]) == 0
    assert second["twice"] == 0


def test_a_user_without_rights_is_told_the_group_to_join(result: Any) -> None:
    said, code = result["stranger"]
    assert code == 1
    assert "it belongs to group dialout" in said


def test_nobody_else_opens_a_port_that_is_recorded(result: Any) -> None:
    assert result["beside it"] == "EBUSY"
