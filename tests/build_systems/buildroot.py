# SPDX-License-Identifier: MIT
"""A real Buildroot with our tree: configurations in, the output of `make` and its answers out.

Each `make` reads all packages of Buildroot, for ten seconds of a processor. So one call answers
all questions about a configuration, and its answers are remembered.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_systems.conftest import ROOT
from qemu_board.cache import key_of
from qemu_board.packages import version_of
from support.remembered import remembered

EXTERNAL = ROOT / "firmware/buildroot"
OURS = sorted(path for path in EXTERNAL.rglob("*") if path.is_file())
FILES = [Path(__file__), *OURS]
"""Files whose contents decide over the answers."""

QUESTIONS = (
    "rootfs-tinyprof-show-depends",
    "linux-show-depends",
    "tinyprof-agent-show-depends",
    "host-tinyprof-show-recursive-depends",
    "show-info",
)
"""Goals of one `make`, which reads all packages of Buildroot before it answers the first one."""

VARIABLES = "ROOTFS_TINYPROF_% TINYPROF_KERNEL_% LINUX_DIR PACKAGES_LINUX_CONFIG_FIXUPS"
OUT = "@out@"
"""The output folder in remembered answers."""


@dataclass(frozen=True)
class Answers:
    """Buildroot's answers to all questions about one configuration with our tree."""

    depends: dict[str, list[str]]
    info: dict[str, Any]
    variables: dict[str, str]
    printed: str

    @classmethod
    def of(cls, printed: str) -> Answers:
        """The answers in what `make` prints for QUESTIONS: a line each, but for the variables."""
        lines = printed.split("\n", len(QUESTIONS))
        depends = {
            question: line.split() for question, line in zip(QUESTIONS[:-1], lines, strict=False)
        }
        info, rest = lines[len(QUESTIONS) - 1 :]
        variables = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", rest, re.MULTILINE))
        return cls(depends, json.loads(info), variables, rest)


class Build:
    """An output folder of Buildroot with our tree."""

    def __init__(self, buildroot: Path, out: Path) -> None:
        self.buildroot, self.out = buildroot, out

    def make(self, *words: str) -> str:
        """The output of `make`. Fails where it failed, or Kconfig warned of anything."""
        tree, out = ("-C", str(self.buildroot)), f"O={self.out}"
        command = ["make", "-s", *tree, f"BR2_EXTERNAL={EXTERNAL}", out]
        plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False, env=plain
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert not re.search("(?i)warning", done.stdout + done.stderr), done.stderr
        return done.stdout

    def configure(self, example: str, *more: str) -> None:
        """Take an example configuration, with more lines behind it."""
        config = self.out / "in"
        config.write_text("\n".join([(EXTERNAL / "configs" / example).read_text(), *more, ""]))
        self.make("defconfig", f"BR2_DEFCONFIG={config}")

    def answers(self, inputs: tuple[str, ...], example: str, *more: str) -> Answers:
        """Buildroot's answers about an example with more lines behind it, remembered for these
        inputs."""

        def make() -> str:
            self.configure(example, *more)
            printed = self.make(*QUESTIONS, "printvars", f"VARS={VARIABLES}")
            return printed.replace(str(self.out), OUT)

        printed = remembered((*inputs, example, *more), FILES, make)
        return Answers.of(printed.replace(OUT, str(self.out)))

    def saved(self, inputs: tuple[str, ...], example: str) -> dict[str, str]:
        """The configuration of an example, the same once Kconfig has read it again, and the lines
        that Kconfig saves of it. Remembered for these inputs."""

        def make() -> str:
            config, saved = self.out / ".config", self.out / "saved"
            self.make(example)
            texts = {"config": config.read_text()}
            self.make("olddefconfig")
            texts["again"] = config.read_text()
            self.make("savedefconfig", f"BR2_DEFCONFIG={saved}")
            return json.dumps({**texts, "saved": saved.read_text()})

        texts: dict[str, str] = json.loads(remembered((*inputs, "saved", example), FILES, make))
        return texts


def inputs_of(buildroot: Path) -> tuple[str, ...]:
    """All that Buildroot's answers depend on, beside a configuration and FILES: its own files by
    their sizes and times, as make sees them, and the tools."""
    seen = [str(buildroot), *map(str, OURS), os.environ["PATH"]]
    for path in buildroot.rglob("*"):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            seen.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return key_of(sorted(seen)), *(str(version_of(tool)) for tool in ("make", "gcc"))
