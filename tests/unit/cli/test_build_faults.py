# SPDX-License-Identifier: MIT
"""tinyprof build where something is wrong: nothing is lost, and one line says what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.commands import PYTHON, tinyprof_bytes, tinyprof_text
from tinyprof.cramfs.reading.reader import read_image

RUN = [*PYTHON, "build"]


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_bytes(b"content" * 1000)
    return tmp_path


def build(top: Path, *words: str | Path, **streams: object) -> subprocess.CompletedProcess[str]:
    if not streams:
        return tinyprof_text("build", *words, top / "root", top / "image")
    command = [*RUN, *map(str, words), str(top / "root"), str(top / "image")]
    return subprocess.run(command, text=True, check=False, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("place", ["root/image", "root/dir/image", "link/image"])
def test_an_image_in_its_own_tree_is_refused(top: Path, place: str) -> None:
    (top / "root/dir").mkdir()
    (top / "link").symlink_to("root/dir")
    run = tinyprof_text("build", top / "root", top / place)
    assert run.returncode == 1
    assert "name an output outside" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not (top / place).exists()


@pytest.mark.parametrize("option", ["--plan", "-D", "-i", "--profile"])
def test_an_image_that_is_an_input_is_refused(top: Path, option: str) -> None:
    (top / "image").write_bytes(b"precious")
    run = build(top, option, top / "image")
    assert run.returncode == 1
    assert "would be replaced" in run.stderr
    assert (top / "image").read_bytes() == b"precious"


@pytest.mark.parametrize("words", [["--json"], ["--explain"], ["-v", "-v"]])
def test_a_full_standard_output_leaves_the_old_image(top: Path, words: list[str]) -> None:
    (top / "image").write_bytes(b"old")
    with Path("/dev/full").open("w") as full:
        run = build(top, *words, stdout=full, stderr=subprocess.PIPE)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "tinyprof: standard output: No space left on device"
    assert (top / "image").read_bytes() == b"old"


def test_a_dash_is_standard_output(top: Path) -> None:
    assert build(top).returncode == 0
    run = subprocess.run([*RUN, top / "root", "-"], capture_output=True, check=True)
    assert run.stdout == (top / "image").read_bytes()
    assert b"standard output: " in run.stderr
    assert not Path("-").exists()
    run = tinyprof_bytes("build", "--json", top / "root", "-")
    assert run.returncode == 2


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["-N", "big"], "big"),
        (["-N", "little", "-b", "4096"], "little"),
        (["-N", "host"], sys.byteorder),
    ],
)
def test_the_letters_of_util_linux_are_known(top: Path, words: list[str], order: str) -> None:
    assert build(top, *words).returncode == 0
    assert read_image((top / "image").read_bytes()).superblock.byte_order == order


@pytest.mark.parametrize(
    ("words", "said"),
    [(["-b", "8192"], "-b 8192: blocks have 4096 bytes"), (["-N", "big", "-L"], "exclude one")],
)
def test_letters_that_ask_for_the_impossible_are_a_usage_error(
    top: Path, words: list[str], said: str
) -> None:
    run = build(top, *words)
    assert run.returncode == 2
    assert said in run.stderr


def test_a_group_that_does_not_fit_is_told_with_the_ways_out(top: Path) -> None:
    os.chown(top / "root/file", 1000, 1000)
    run = build(top)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "/file: gid is 1000" in line
    assert "-q" in line
    assert "fakeroot" in line
    (top / "table").write_text("/file f 644 0 0\n")
    assert build(top, "-D", top / "table").returncode == 0
    assert build(top, "-q").returncode == 0


def test_attributes_that_an_image_cannot_hold_are_told(top: Path) -> None:
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)
    try:
        os.setxattr(top / "root/file", "security.capability", capability)
    except OSError as error:
        pytest.skip(f"no file capabilities here: {error}")
    said = "cramfs has no place for extended attributes: 1 file without: security.capability (1)"
    assert f"{said}; -v lists them" in build(top).stderr
    assert "tinyprof: /file: without security.capability\n" in build(top, "-v").stderr


@pytest.mark.parametrize("option", ["-D", "--plan"])
def test_an_input_without_an_end_is_refused(top: Path, option: str) -> None:
    run = build(top, option, "/dev/zero")
    assert run.returncode == 1
    assert "/dev/zero: has more than" in run.stderr


def test_without_a_home_no_folder_of_the_name_tilde_is_made(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    gone = "import pwd\ndef none(uid): raise KeyError(uid)\npwd.getpwuid = none\n"
    command: list[str | Path] = [RUN[0], "-c", gone + RUN[2], "build", top / "root", top / "image"]
    run = subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "cache unused: there is no folder for it; set HOME" in run.stderr
    assert {path.name for path in top.iterdir()} == {"root", "image"}


def test_a_control_character_of_a_name_does_not_reach_the_terminal(top: Path) -> None:
    command = [*RUN, str(top / "root"), str(top / "im\x1b[31mage")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "\x1b" not in run.stderr
    assert "im\\x1b[31mage: " in run.stderr


SLOW = """
import time
from tinyprof.cramfs.writing import writer
choose = writer.choose_compressor
def slow(*effort):
    compress = choose(*effort)
    def compressing(page):
        print("compressing", flush=True)
        time.sleep(0.02)
        return compress(page)
    return compressing
writer.choose_compressor = slow
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_build_that_leaves_nothing(top: Path, number: signal.Signals) -> None:
    (top / "root/file").write_bytes(os.urandom(4 << 20))
    (top / "image").write_bytes(b"old")
    command: list[str | Path] = [RUN[0], "-c", SLOW + RUN[2], "build", top / "root", top / "image"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(100):
            process.stdout.readline()
        process.send_signal(number)
        began = time.monotonic()
        process.communicate()
        assert time.monotonic() - began < 60
    assert process.returncode == 130
    assert (top / "image").read_bytes() == b"old"
    assert {path.name for path in top.iterdir()} == {"root", "image", "cache"}
    assert [path for path in (top / "cache").rglob("*") if path.is_file()] == []


def test_hard_links_take_the_place_of_links_to_files(top: Path) -> None:
    (top / "root/link").symlink_to("file")
    run = build(top, "--hard-links")
    assert "1 symbolic link replaced" in run.stderr
    numbers = {
        entry.path: (entry.kind.name, entry.ino)
        for entry in read_image((top / "image").read_bytes()).entries
    }
    assert numbers["/link"] == numbers["/file"]


def test_the_json_of_a_build_is_whole_when_the_image_is(top: Path) -> None:
    run = build(top, "--json")
    assert json.loads(run.stdout)["size"] == (top / "image").stat().st_size
