# SPDX-License-Identifier: MIT
"""A program that is all that a board runs: recorded, ordered by that, and measured.

Nothing is stored in place, and the kernel that is measured is a stock one. So a gain is the
order's alone.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.dense_program import ARM, link
from target.booting import RECORD_FROM_THE_START, TINYPROF, boot, record
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.plan.ordering.formats import names_in
from tinyprof.plan.ordering.relocatable import align_functions
from tinyprof.profile.model import FileUse
from tinyprof.profile.tprof import load_profile

GOLD = ("-fuse-ld=gold",)
INIT = "/sbin/init"
"""The place of the program. The agent starts it."""


def aligned(objects: list[Path], folder: Path) -> list[Path]:
    """Copies of objects whose functions begin pages."""
    folder.mkdir()
    for path in objects:
        (folder / path.name).write_bytes(align_functions(path.read_bytes()).data)
    return [folder / path.name for path in objects]


class Target:
    """A tree with one program and the agent, as images are made of it."""

    def __init__(
        self,
        folder: Path,
        agent: Path,
        objects: list[Path],
        *flags: str,
        libraries: Sequence[Path] = (),
    ) -> None:
        """Link the program: against shared libraries if there are any, else static."""
        self.folder, self.tree = folder, folder / "tree"
        for name in ("dev", "lib", "proc", "sbin"):
            (self.tree / name).mkdir(parents=True)
        for library in libraries:
            shutil.copy(library, self.tree / "lib")
        shutil.copy(agent, self.tree / "sbin/tinyprof-agent")
        kind = GOLD if libraries else (*GOLD, "-static")
        link(objects, self.tree / INIT[1:], *kind, *flags, compiler=ARM)
        self.image = folder / "image"
        tree = Tree.from_directory(self.tree, squash=True)
        self.image.write_bytes(write_image(tree, {}, WriteOptions()).image)

    def record(self) -> FileUse:
        """The used pages of the program. The profile stays in the folder."""
        words = ["--append", RECORD_FROM_THE_START]
        done = record(
            self.image, self.folder / "it.tpcap", *words, options=("--image", self.image)
        )
        assert done.code == 0, done.said
        profile = self.folder / "it.tprof"
        command = [*TINYPROF, "profile", str(self.folder / "it.tpcap"), "-o", str(profile)]
        subprocess.run(command, check=True, capture_output=True)
        files = load_profile(profile.read_text()).files
        return next(file for file in files if file.path == INIT)

    def measure(self) -> tuple[int, int]:
        """The program's result, and KiB of page cache, on a stock kernel."""
        said = boot(self.image, "--stock")
        found = re.search(r"^(\d+)\s+Cached:\s+(\d+) kB", said, re.MULTILINE)
        assert found, said[-500:]
        return int(found[1]), int(found[2])


def order_of(target: Target) -> tuple[Path, set[str]]:
    """The order for gold that a recording gives, and its names."""
    options = ["--rootfs", str(target.tree), "-o", str(target.folder / "order"), "--json"]
    command = [*TINYPROF, "order", str(target.folder / "it.tprof"), *options, "--format", "gold"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fields = next(it for it in json.loads(done.stdout)["programs"] if it["path"] == INIT)
    assert fields["recording_link"]
    file = Path(fields["file"])
    return file, {name for names in names_in(file.read_bytes()).values() for name in names}
