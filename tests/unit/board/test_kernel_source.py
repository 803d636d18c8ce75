# SPDX-License-Identifier: MIT
"""The source of a kernel version: where it is looked for, and what apt is told to fetch it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qemu_board import kernel_source
from qemu_board.errors import BoardError
from qemu_board.kernel import versions
from qemu_board.kernel_source import SUITES, archive_at_hand

APT = """#!/bin/sh
if [ "$1" = indextargets ]; then
	echo http://mirror.invalid/debian bookworm main
	exit
fi
echo "$@" >> "$0.told"
for last; do :; done
case " $* " in *" download "*) : > "${last}_1.deb" ;; esac
"""
DEB = """#!/bin/sh
case $1 in
-f) echo 7.2.99-1 ;;
-x) mkdir -p "$3/usr/src" && : > "$3/usr/src/linux-source-7.2.tar.xz" ;;
esac
"""
QUERY = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no source is installed, with an apt that fetches empty packages."""
    for name, text in {"apt-get": APT, "dpkg-deb": DEB, "dpkg-query": QUERY}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_version_that_debian_12_has_not_is_fetched_once(machine: Path) -> None:
    assert archive_at_hand("7.2") is None
    fetched = kernel_source.archive("7.2")
    assert (fetched.package_version, fetched.release) == ("7.2.99-1", (7, 2, 99))
    assert fetched.tarball.exists()
    told = (machine / "apt-get.told").read_text()
    assert kernel_source.archive("7.2") == fetched
    assert (machine / "apt-get.told").read_text() == told


def test_apt_is_shown_no_suite_but_the_versions_own(machine: Path) -> None:
    kernel_source.archive("7.2")
    for command in (machine / "apt-get.told").read_text().splitlines():
        words = dict(word[2:].split("=", 1) for word in command.split() if word.startswith("-o"))
        assert words["Dir::Etc::SourceParts"] == "/dev/null"
        assert str(machine) in words["Dir::State::Lists"]
        sources = Path(words["Dir::Etc::SourceList"]).read_text()
        assert [line.split()[-2:] for line in sources.splitlines()] == [["forky", "main"]]


@pytest.mark.parametrize("option", ["-f", "-x"])
def test_a_package_that_is_cut_off_is_told(machine: Path, option: str) -> None:
    broken = DEB.replace("case $1 in", f'case $1 in\n{option}) echo "cut off" >&2; exit 2 ;;')
    (machine / "dpkg-deb").write_text(broken)
    with pytest.raises(BoardError, match=r"linux-source-7\.2_1\.deb: cut off"):
        kernel_source.archive("7.2")
    assert archive_at_hand("7.2") is None


def test_versions_stand_in_the_order_of_their_numbers() -> None:
    assert versions() == ["5.10", "6.1", "6.12", "7.2", "7.3"]
    assert set(SUITES) < set(versions())
