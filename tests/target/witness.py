# SPDX-License-Identifier: MIT
"""A witness of what a guest touches in its flash: QEMU's own memory, closed by a plugin
(witness.c).

An image is booted; the pages of it that were executed or read, by whatever in the guest, go out by
their byte in the image.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from target.booting import BOARD
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

SOURCE = Path(__file__).with_name("witness.c")
QEMU = "qemu-system-arm"

FilePage = tuple[str, int]
"""A path, and the number of a page."""


def build_witness(folder: Path, source: Path = SOURCE, qemu: str = QEMU) -> Path:
    """A folder with a QEMU of that name that has a plugin; what it saw goes to the file `seen`
    there."""
    folder.mkdir(parents=True, exist_ok=True)
    plugin = folder / "witness.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{SOURCE.parent}"]
    subprocess.run(["cc", *flags, "-o", plugin, source], check=True)
    found = subprocess.run(
        ["sh", "-c", f"command -v {qemu}"], capture_output=True, text=True, check=True
    )
    wrapper = folder / qemu
    wrapper.write_text(
        f'#!/bin/sh\nexec {found.stdout.strip()} "$@" -plugin '
        f"file={plugin},out={folder / 'seen'}\n"
    )
    wrapper.chmod(0o755)
    return folder


def touched_offsets(witness: Path, image: Path, *words: str) -> set[int]:
    """Boot an image; the bytes in it at which the pages begin that were touched."""
    return {int(line) for line in watched(witness, image, *words).split()}


def watched(witness: Path, image: Path, *words: str) -> str:
    """Boot an image under a plugin; what the plugin wrote."""
    environment = {**os.environ, "PATH": f"{witness}:{os.environ['PATH']}"}
    command: list[str | Path] = [BOARD, "run", image, "--icount", "--timeout", "600", *words]
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return (witness / "seen").read_text()


def touched_pages(witness: Path, tree: Tree, image: Path, *words: str) -> list[set[FilePage]]:
    """Boot a tree with every page stored in place; the pages that were touched, each under all of
    its names. Pages of the same bytes are one in the image: which of them was meant, the witness
    cannot tell."""
    everything = {node.path: range(node.pages) for node in tree.files() if node.pages}
    image.write_bytes(write_image(tree, everything, WriteOptions()).image)
    offsets = touched_offsets(witness, image, *words)
    names: dict[int, set[FilePage]] = {}
    parsed = read_image(image.read_bytes())
    for entry in parsed.entries:
        if entry.kind is EntryKind.FILE:
            for page, block in enumerate(parsed.blocks(entry)):
                names.setdefault(block.offset, set()).add((entry.path, page))
    return [names[at] for at in offsets if at in names]


def missed_and_wrong(
    touched: list[set[FilePage]], recorded: set[FilePage]
) -> tuple[list[FilePage], list[FilePage]]:
    """The touched pages that were not recorded, and the recorded ones that were not touched."""
    missed = sorted(min(names) for names in touched if not recorded & names)
    wrong = sorted(recorded.difference(*touched))
    print(f"touched {len(touched)}, recorded {len(recorded)}")
    print(f"missed {len(missed)}: {missed[:20]}")
    print(f"wrong {len(wrong)}: {wrong[:20]}")
    return missed, wrong
