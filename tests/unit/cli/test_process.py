# SPDX-License-Identifier: MIT
"""The process of a command: strange locales, closed and full streams, and signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = [sys.executable, "-m", "tinyprof"]
LOCALES = {"ru_RU.KOI8-R": ("ru_RU", "KOI8-R"), "ja_JP.EUC-JP": ("ja_JP", "EUC-JP")} | {
    "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1")
}


def tinyprof(
    *words: str | Path, streams: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command under a shell that redirects its `streams` first."""
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", *RUN, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, env={**os.environ, **(env or {})}, check=False
    )


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A folder with names in UTF-8, in Latin-1, and in no encoding at all."""
    folder = os.fsencode(tmp_path / "root")
    os.mkdir(folder)  # noqa: PTH102
    for name in (b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe", "ж".encode()):
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(name * 3000)
    return tmp_path / "root"


@pytest.fixture(params=list(LOCALES))
def locale(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of a locale whose encoding is not UTF-8."""
    language, encoding = LOCALES[request.param]
    folder = tmp_path_factory.mktemp("locales")
    if not shutil.which("localedef") or not Path("/usr/share/i18n/locales", language).exists():
        pytest.skip("the package locales is not installed")
    # It warns of encodings that are not ASCII throughout, and makes them.
    made = ["localedef", "-f", encoding, "-i", language, str(folder / request.param)]
    subprocess.run(made, check=False, capture_output=True)
    env = {"LOCPATH": str(folder), "LC_ALL": request.param, "PYTHONCOERCECLOCALE": "0"}
    ask = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    said = subprocess.run(ask, env={**os.environ, **env}, capture_output=True, check=True)
    assert said.stdout.strip() != b"utf-8"
    return env


def test_an_image_does_not_depend_on_the_locale(
    tmp_path: Path, rootfs: Path, locale: dict[str, str]
) -> None:
    made = []
    for env in ({}, locale):
        assert tinyprof("build", "--no-cache", rootfs, tmp_path / "image", env=env).returncode == 0
        made.append((tmp_path / "image").read_bytes())
    assert made[0] == made[1]


def test_a_sound_image_is_sound_in_every_locale(
    tmp_path: Path, rootfs: Path, locale: dict[str, str]
) -> None:
    assert tinyprof("build", "--no-cache", rootfs, tmp_path / "image").returncode == 0
    checked = tinyprof("image", "check", tmp_path / "image", env=locale)
    assert (checked.returncode, b"Traceback" in checked.stderr) == (0, False)


def test_names_that_a_terminal_cannot_show_are_escaped(
    tmp_path: Path, rootfs: Path, locale: dict[str, str]
) -> None:
    assert tinyprof("build", "--no-cache", rootfs, tmp_path / "image").returncode == 0
    listed = tinyprof("image", "ls", tmp_path / "image", env=locale)
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert len(listed.stdout.splitlines()) == 5


@pytest.mark.parametrize("streams", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_stream_that_is_not_needed_changes_nothing(
    tmp_path: Path, rootfs: Path, streams: str
) -> None:
    done = tinyprof("build", "--no-cache", rootfs, tmp_path / "image", streams=streams)
    assert (done.returncode, (tmp_path / "image").exists()) == (0, True)
    shown = tinyprof("image", "info", tmp_path / "image", streams=streams)
    assert (shown.returncode, b"fsid" in shown.stdout, shown.stderr) == (0, True, b"")


@pytest.mark.parametrize(
    ("streams", "why"),
    [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")],
)
@pytest.mark.parametrize(
    "words", [["--help"], ["image", "info", "IMAGE"], ["image", "ls", "IMAGE"]]
)
def test_data_that_standard_output_does_not_take_is_a_failure(
    tmp_path: Path, rootfs: Path, words: list[str], streams: str, why: str
) -> None:
    assert tinyprof("build", "--no-cache", rootfs, tmp_path / "image").returncode == 0
    asked = [str(tmp_path / "image") if word == "IMAGE" else word for word in words]
    done = tinyprof(*asked, streams=streams)
    assert (done.returncode, done.stderr.decode()) == (1, f"tinyprof: standard output: {why}\n")


def test_errors_that_nobody_can_read_still_give_the_exit_code() -> None:
    assert tinyprof("image", "info", "/none-such", streams="2>&-").returncode == 1
    assert tinyprof("image", "info", "/none-such", streams="2>/dev/full").returncode == 1
    assert tinyprof("image", "info", "/none-such", streams=">&- 2>&- <&-").returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_told_to_end_ends_with_130_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "root").mkdir()
    # A pipe in place of a table: the command waits there until it is told.
    os.mkfifo(tmp_path / "table")
    words = [*RUN, *map(str, ("build", tmp_path / "root", tmp_path / "image"))]
    words += ["-D", str(tmp_path / "table")]
    # Opening the pipe's other end returns once the command has opened the table.
    with (
        subprocess.Popen(words, stderr=subprocess.PIPE) as command,
        (tmp_path / "table").open("wb"),
    ):
        command.send_signal(number)
        said = command.communicate()[1].decode()
    assert command.returncode == 130
    assert said.strip() in ("tinyprof: interrupted", f"tinyprof: ended by {number.name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "table"]


def test_a_command_goes_on_after_a_hangup_that_nohup_ignores(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "table")
    words = [*RUN, *map(str, ("build", tmp_path / "root", tmp_path / "image"))]
    words += ["-D", str(tmp_path / "table")]
    with subprocess.Popen(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words]) as command:
        with (tmp_path / "table").open("wb"):
            command.send_signal(signal.SIGHUP)
        assert command.wait() == 0
    assert (tmp_path / "image").exists()
