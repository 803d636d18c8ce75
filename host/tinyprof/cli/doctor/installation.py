# SPDX-License-Identifier: MIT
"""Checks this machine: Python, the packages that tinyprof uses, and the ports that are here."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from serial.tools.list_ports_common import ListPortInfo

from tinyprof import __version__
from tinyprof.cli.doctor.verdict import Check, State

PYTHON_LEAST = (3, 11)

PARTS = (
    ("click", "click", "the command line"),
    ("cobs", "cobs", "recording"),
    ("msgpack", "msgpack", "recording, and reading captures"),
    ("serial", "pyserial", "recording from a serial port"),
    ("textual", "textual", "the live view"),
    ("deflate", "deflate", "building with libdeflate"),
    ("zopfli", "zopfli", "building with --level 12"),
)
"""Module, package, and what needs it."""

ZSTD = ("compression.zstd", "backports.zstd")
"""Modules with zstd, of which one is enough: that of Python 3.14, and that of the package."""

TARGET_TOOLS = ("unsquashfs", "fakeroot")
"""Programs that help with root filesystems, and that nothing here needs."""

VersionOf = Callable[[str], str]


def installation_checks(
    ports: Sequence[ListPortInfo],
    has_module: Callable[[str], bool] | None = None,
    python: Sequence[int] = sys.version_info[:3],
) -> Iterator[Check]:
    """Check this machine. `ports`: its serial ports. `has_module()`: whether a module can be
    imported; without it the interpreter is asked."""
    has_module = has_module or _has_module
    yield _python(python)
    yield _packages(has_module)
    yield _zstd(has_module)
    yield _tools()
    yield _ports(ports)


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _python(python: Sequence[int]) -> Check:
    name = ".".join(map(str, python[:3]))
    text = f"tinyprof {__version__}, Python {name} on {platform.machine()}"
    if tuple(python[:2]) < PYTHON_LEAST:
        least = ".".join(map(str, PYTHON_LEAST))
        return Check("", "Python", State.BROKEN, text, (f"install Python {least} or later",))
    return Check("", "Python", State.OK, text)


def _packages(has_module: Callable[[str], bool]) -> Check:
    missing = [(package, use) for module, package, use in PARTS if not has_module(module)]
    if missing:
        text = ", ".join(f"{package} (for {use})" for package, use in missing)
        names = " ".join(package for package, _ in missing)
        return Check(
            "", "packages", State.LOOK, f"missing: {text}", (f"run 'pip install {names}'",)
        )
    return Check(
        "", "packages", State.OK, ", ".join(_with_version(package) for _, package, _ in PARTS)
    )


def _with_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _zstd(has_module: Callable[[str], bool]) -> Check:
    if any(map(has_module, ZSTD)):
        return Check("", "zstd", State.OK, "compressed recordings (record --zstd) can be used")
    return Check(
        "",
        "zstd",
        State.NOTE,
        "not there: compressed recordings (record --zstd) can be neither made nor read",
        ("run \"pip install 'tinyprof[zstd]'\" if you want them",),
    )


def _tools() -> Check:
    found = [name for name in TARGET_TOOLS if shutil.which(name)]
    missing = [name for name in TARGET_TOOLS if name not in found]
    if not missing:
        return Check("", "tools", State.OK, f"{', '.join(found)} are here")
    return Check(
        "",
        "tools",
        State.NOTE,
        f"not here: {', '.join(missing)}",
        ("unsquashfs unpacks a squashfs, fakeroot keeps owners; install them if you need that",),
    )


def _ports(ports: Sequence[ListPortInfo]) -> Check:
    if not ports:
        return Check(
            "",
            "ports",
            State.NOTE,
            "this machine has no serial port",
            ("plug the cable in; a socket needs no port (docs/porting.md)",),
        )
    names = ", ".join(_port_text(port) for port in sorted(ports, key=lambda port: port.device))
    return Check("", "ports", State.OK, names)


def _port_text(port: ListPortInfo) -> str:
    allowed = os.access(port.device, os.R_OK | os.W_OK)
    described = port.description if port.description not in (None, "n/a") else ""
    notes = [described] * bool(described) + ["permission denied"] * (not allowed)
    return f"{port.device} ({', '.join(notes)})" if notes else port.device
