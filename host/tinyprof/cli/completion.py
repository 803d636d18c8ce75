# SPDX-License-Identifier: MIT
"""Completes ports, captures and profiles in a shell: the begin of a word in, words out.

README tells the line that installs it. Click completes commands and options by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

CAPTURES, PROFILES = (".tpcap",), (".tprof", ".tpcap")
PORT_WORDS = ("sim:", "unix:", "socket://", "rfc2217://")
"""Begins of ports that are no files."""

DEVICES = ("serial/by-id/*", "ttyACM*", "ttyUSB*", "ttyS[0-9]*", "ttyAMA*")
"""Names of serial devices below /dev. A stable name comes first."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def files_ending(suffixes: tuple[str, ...]) -> Complete:
    """Completes files with one of these suffixes, and folders on the way to them."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return list(_files(incomplete, suffixes))

    return complete


def ports(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes serial devices, sockets, simulated targets and files."""
    if incomplete.startswith("sim:"):
        inside = _files(incomplete.removeprefix("sim:"), CAPTURES)
        return [CompletionItem(f"sim:{it.value}") for it in inside if it.type == "plain"]
    devices = [str(path) for name in DEVICES for path in sorted(Path("/dev").glob(name))]
    words = [word for word in (*devices, *PORT_WORDS) if word.startswith(incomplete)]
    # A shell completes any file where this knows none.
    return [CompletionItem(word) for word in words] or [CompletionItem(incomplete, type="file")]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[CompletionItem]:
    folder, begin = os.path.split(incomplete)
    try:
        names = sorted(os.listdir(folder or "."))  # noqa: PTH208 - Path would change the folder
    except OSError:
        return
    paths = [(name, os.path.join(folder, name)) for name in names]  # noqa: PTH118
    found = [path for name, path in paths if name.startswith(begin) and name.endswith(suffixes)]
    if any(name.startswith(begin) and Path(path).is_dir() for name, path in paths):
        # Bash drops what came before this kind, so it stands first.
        yield CompletionItem(incomplete, type="dir")
    yield from map(CompletionItem, found)
