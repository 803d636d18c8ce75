# SPDX-License-Identifier: MIT
"""Debian packages: those that this machine needs, and those of the board that it fetches without
installing.

The board's packages are of another architecture. apt gets folders of its own for them, so that the
machine's own dpkg never hears of that architecture.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qemu_board.errors import BoardError
from qemu_board.tool import output_of

PAUSES = (2, 10, 30)
"""Seconds between tries: mirrors are sometimes caught in the middle of an update."""


KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


INDEX = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
"""What `apt-get indextargets` is to print of each list of this machine."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite of Debian's that this machine does not take packages from. It is where the machine's
    own suites are: `name` says whether with those for security."""

    name: str

    @property
    def line(self) -> str:
        """Its line in a list of sources."""
        return f"deb [signed-by={KEYRING}] {self.url} {self.name} main"

    @property
    def url(self) -> str:
        """The place of the suite. Raises BoardError where this machine names none."""
        for url, name, _ in map(str.split, listed_suites()):
            if name.endswith("-security") == self.name.endswith("-security"):
                return url
        raise BoardError("apt has no lists of Debian's packages", "run: apt-get update")


def listed_suites() -> list[str]:
    """The suites that this machine takes packages from, as lines: URL, name, component."""
    command = ["apt-get", "indextargets", "--format", INDEX]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return sorted({line for line in run.stdout.splitlines() if line.endswith(" main")})


def version_of(package: str) -> str | None:
    """The installed version of a package of this machine, None where it is not installed."""
    query = ["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", package]
    try:
        run = subprocess.run(query, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BoardError(
            "dpkg-query not found", "the board is built from Debian packages, on Debian"
        ) from None
    status, _, version = run.stdout.partition(" ")
    return version if status == "installed" else None


def need(*packages: str) -> None:
    """Raises BoardError with the one command that installs what is missing."""
    missing = [package for package in packages if version_of(package) is None]
    if missing:
        names = " ".join(missing)
        raise BoardError(
            f"missing Debian packages: {names}",
            f"run: apt-get install --no-install-recommends {names}",
        )


def apt_in(state: Path) -> list[str]:
    """The begin of an apt command with lists and archives of its own, in this folder."""
    for part in ("lists", "archives"):
        (state / part / "partial").mkdir(parents=True, exist_ok=True)
    own = [f"-oDir::State::Lists={state / 'lists'}", f"-oDir::Cache={state}"]
    return ["apt-get", "-q", *own, "-oAcquire::Retries=3", "-oAPT::Sandbox::User=root"]


def only_from(state: Path, lines: Iterable[str]) -> list[str]:
    """Words for apt that show it the suites of these lines, and none of the machine's own."""
    sources = state / "sources.list"
    sources.write_text("".join(f"{line}\n" for line in lines))
    return [f"-oDir::Etc::SourceList={sources}", "-oDir::Etc::SourceParts=/dev/null"]


def download(
    packages: Sequence[str], architecture: str, state: Path, into: Path, suite: Suite | None = None
) -> list[Path]:
    """Fetch packages of an architecture into a folder; `state` holds apt's lists between runs.
    They come from the suite, or without one from those that this machine has.

    Returns their files in the order of their names. Raises BoardError with apt's own words.
    """
    into.mkdir(parents=True, exist_ok=True)
    apt = [
        *apt_in(state),
        f"-oAPT::Architecture={architecture}",
        f"-oAPT::Architectures={architecture}",
        *(only_from(state, [suite.line]) if suite else ()),
    ]
    for pause in (*PAUSES, 0):
        # If one of several lists cannot be had, the others may still hold all packages.
        update = _run([*apt, "update"], into)
        said = _run([*apt, "download", *packages], into)
        if not said:
            return sorted(into.glob("*.deb"))
        time.sleep(pause)
    raise BoardError(
        f"cannot download {architecture} packages: {update or said}",
        "check the network, try again",
    )


def unpack_package(package: Path, into: Path) -> None:
    """The files of a package, unpacked into a folder. Raises BoardError with dpkg's own words."""
    output_of(
        ["dpkg-deb", "-x", package, into],
        f"cannot unpack the package {package.name}",
        "free room on the disk, or fetch it again",
    )


def _run(command: list[str], folder: Path) -> str:
    """Run apt; its last words where it failed, an empty string where it did not."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return ""
    words = [
        line for line in run.stderr.splitlines() if line.startswith("E:")
    ] or run.stderr.splitlines()
    return words[0] if words else f"apt-get exited with {run.returncode}"
