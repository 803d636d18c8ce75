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

SOURCE = Path(__file__).with_name("witness.c")
QEMU = "qemu-system-arm"


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
