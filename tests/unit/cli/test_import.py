# SPDX-License-Identifier: MIT
"""tinyprof import pcs, typed as a user types it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import threading
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.commands import tinyprof_bytes
from tinyprof.cli import cli
from tinyprof.cli.commands import importing
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.reading.reader import Image, open_image
from tinyprof.plan.ordering.program import read_program

BASE = 0x90000000
TEXT = """
int used(int x) { return x + 1; }
int unused(int x) { return x * 3; }
int main(void) { return used(-1); }
"""


def tinyprof(*words: str | Path, said: bytes = b"") -> subprocess.CompletedProcess[str]:
    run = tinyprof_bytes(*words, given=said)
    return subprocess.CompletedProcess(
        run.args, run.returncode, run.stdout.decode(), run.stderr.decode()
    )


@pytest.fixture
def flashed(tmp_path: Path) -> Path:
    """An image of one program, everything in place."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tmp_path / "it.c").write_text(TEXT)
    words = ["gcc", "-O0", "-o", str(tree / "bin/it"), str(tmp_path / "it.c")]
    subprocess.run(words, check=True)
    image = tmp_path / "image"
    assert tinyprof("build", tree, image, "-q", "-X", "-X").returncode == 0
    return image


def addresses_of(image: Image, program: bytes, *names: str) -> list[int]:
    """The addresses of functions of /bin/it in flash."""
    (entry,) = (it for it in image.entries if it.path == "/bin/it")
    blocks = image.blocks(entry)
    found = read_program(program)
    assert found
    offsets = {it.name: it.offset for it in found.functions}
    return [BASE + blocks[offsets[name] // 4096].offset + offsets[name] % 4096 for name in names]


def test_addresses_become_a_recording_of_pages_and_functions(
    tmp_path: Path, flashed: Path
) -> None:
    capture, functions = tmp_path / "it.tpcap", tmp_path / "it.csv"
    program = (tmp_path / "tree/bin/it").read_bytes()
    found = addresses_of(open_image(flashed), program, "main", "used", "used")
    said = "".join(f"{address:x}\n" for address in found).encode()
    words = ("--image", flashed, "--base", hex(BASE), "--functions", functions, "-o", capture)
    run = tinyprof("import", "pcs", "-", *words, "--epoch", "2", said=said)
    assert run.returncode == 0, run.stderr
    assert "3 samples: 100 % on 1 page of 1 file in place" in run.stderr
    rows = list(csv.reader(functions.read_text().splitlines()))
    assert rows[1:] == [["/bin/it", "used", "2", "1"], ["/bin/it", "main", "1", "0"]]
    profile = tmp_path / "it.tprof"
    run = tinyprof("profile", capture, "-o", profile)
    assert run.returncode == 0, run.stderr
    (file,) = json.loads(profile.read_text())["files"]
    assert file["path"] == "/bin/it"
    assert len(file["pages"]) == 1
    told = " ".join(tinyprof("report", profile).stdout.split())
    assert (
        "recorded by program counters; only code that is executed in place is seen; "
        "pages that are only read, and pages that are not in place, are not seen "
    ) in told + " "
    assert "executable mappings" not in told
    assert "in place that it does not see" not in told
    assert "in_place" not in json.loads(profile.read_text())["runs"][0]


def test_the_same_addresses_give_the_same_capture(tmp_path: Path, flashed: Path) -> None:
    program = (tmp_path / "tree/bin/it").read_bytes()
    (address,) = addresses_of(open_image(flashed), program, "main")
    (tmp_path / "pcs").write_text(f"{address:#x} 5\nIN: rubbish\n")
    for name in ("a", "b"):
        words = ("--image", flashed, "--base", hex(BASE), "-o", tmp_path / name)
        run = tinyprof("import", "pcs", tmp_path / "pcs", *words)
        assert run.returncode == 0
        assert "1 line without an address left out" in run.stderr
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("text", "base", "code", "told"),
    [
        ("hello\n", "0x90000000", 1, "no addresses"),
        ("1234\n", "0x90000000", 1, "all 1 addresses are outside the image"),
        ("90000004\n", "0x90000000", 1, "in the image, where nothing is in place"),
        ("1234\n", "here", 2, "here is no address such as"),
        ("1234\n", "-1", 2, "is no address such as"),
    ],
)
def test_addresses_that_tell_nothing_leave_no_capture(
    tmp_path: Path, flashed: Path, text: str, base: str, code: int, told: str
) -> None:
    (tmp_path / "pcs").write_text(text)
    words = ("--image", flashed, f"--base={base}", "-o", tmp_path / "out")
    run = tinyprof("import", "pcs", tmp_path / "pcs", *words)
    assert run.returncode == code
    assert told in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_count_with_epochs_is_refused_by_its_line(tmp_path: Path, flashed: Path) -> None:
    (tmp_path / "pcs").write_text("9000" * 2000 + "\n90001000\n90001000 7\n")
    words = ("--image", flashed, "--base", hex(BASE), "--epoch", "5", "-o", tmp_path / "out")
    run = tinyprof("import", "pcs", tmp_path / "pcs", *words)
    assert run.returncode == 1
    assert "pcs: line 3: a count of 7 cannot be divided into epochs" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_addresses_come_from_a_pipe_as_from_a_file(tmp_path: Path, flashed: Path) -> None:
    program = (tmp_path / "tree/bin/it").read_bytes()
    line = f"{addresses_of(open_image(flashed), program, 'main')[0]:x}\n".encode()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(line)
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(line,), daemon=True)
    writer.start()
    for name in ("pipe", "file"):
        words = ("--image", flashed, "--base", hex(BASE), "-o", tmp_path / f"{name}.tpcap")
        run = tinyprof("import", "pcs", tmp_path / name, *words)
        assert run.returncode == 0, run.stderr
    writer.join()
    assert (tmp_path / "pipe.tpcap").read_bytes() == (tmp_path / "file.tpcap").read_bytes()


def test_functions_that_cannot_be_told_leave_no_capture(
    tmp_path: Path, flashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(data: bytes) -> None:
        raise ImageError("broken names", "")

    monkeypatch.setattr(importing, "read_names", broken)
    program = (tmp_path / "tree/bin/it").read_bytes()
    (address,) = addresses_of(open_image(flashed), program, "main")
    (tmp_path / "pcs").write_text(f"{address:x}\n")
    before = sorted(tmp_path.iterdir())
    words = ["import", "pcs", tmp_path / "pcs", "--image", flashed, "--base", hex(BASE)]
    words += ["--functions", tmp_path / "csv", "-o", tmp_path / "out"]
    run = CliRunner().invoke(cli, list(map(str, words)))
    assert isinstance(run.exception, ImageError)
    assert sorted(tmp_path.iterdir()) == before


def test_a_capture_is_never_in_memory_as_a_whole(
    tmp_path: Path, flashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (tmp_path / "tree/bin/it").read_bytes()
    (address,) = addresses_of(open_image(flashed), program, "main")
    (tmp_path / "pcs").write_text(f"{address:x}\n" * 20_000)
    before = {it.name for it in tmp_path.iterdir()}
    words = ["import", "pcs", tmp_path / "pcs", "--image", flashed, "--base", hex(BASE)]
    words += ["--epoch", "1", "-o", tmp_path / "out"]
    monkeypatch.setattr(importing, "PIECE", 1 << 14)
    tracemalloc.start()
    run = CliRunner().invoke(cli, list(map(str, words)), standalone_mode=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert run.exception is None
    assert most < (tmp_path / "out").stat().st_size / 2
    assert {it.name for it in tmp_path.iterdir()} == {*before, "out"}


def test_the_image_is_never_replaced(tmp_path: Path, flashed: Path) -> None:
    (tmp_path / "pcs").write_text("1\n")
    before = flashed.read_bytes()
    words = ("--image", flashed, "--base", "0", "-o", flashed)
    assert tinyprof("import", "pcs", tmp_path / "pcs", *words).returncode == 1
    assert flashed.read_bytes() == before
