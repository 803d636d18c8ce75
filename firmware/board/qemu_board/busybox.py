# SPDX-License-Identifier: MIT
"""busybox for a machine without an MMU: Debian's source in, one bFLT program out, which is linked
with musl and whose text can stay in flash."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qemu_board.architecture import ARMHF
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.flat import flat_program
from qemu_board.musl import LINKER_SCRIPT, OWN, Library, libc
from qemu_board.packages import need
from qemu_board.sources import fetch_sources
from qemu_board.tool import output_of

CONFIG = OWN / "busybox.config"
FLAT = Path(__file__).with_name("flat.py")

STACK = 24 << 10
"""Bytes of stack: some of its functions have a path of 4 KiB on it."""

OPTION = re.compile(r"(?:# )?(CONFIG_\w+)(?:=(.*)| is not set)")


@dataclass(frozen=True, slots=True)
class Busybox:
    """The program. `elf` is the ELF program that it is made of, `links` are the paths of its
    applets, which are links to it."""

    elf: Path
    program: bytes
    links: tuple[str, ...]

    def install(self, root: Path) -> None:
        """Put it into a root filesystem, as /bin/busybox with its links. Raises BoardError before
        it writes anything if one of these names is taken or leads out of the root."""
        path, *links = (root / name.removeprefix("/") for name in ("bin/busybox", *self.links))
        for name in (path, *links):
            _must_be_free(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.program)
        path.chmod(0o755)
        for link in links:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/bin/busybox")


def _must_be_free(root: Path, name: Path) -> None:
    if os.path.lexists(name):
        raise BoardError(f"{name}: {os.strerror(errno.EEXIST)}")
    for folder in name.relative_to(root).parents:
        place = root / folder
        if os.path.lexists(place) and not place.is_dir():
            raise BoardError(f"{place} is no folder")
        if not place.resolve().is_relative_to(root.resolve()):
            raise BoardError(f"{place} leads out of {root}")


def busybox() -> Busybox:
    """The program, built if the cache has none: that takes a minute. Raises BoardError."""
    need("bzip2")
    library = libc()
    words = (library.folder.name, str(STACK))
    folder = cache_root() / "busybox" / key_of(words, [CONFIG, FLAT, LINKER_SCRIPT])
    with locked("busybox"):
        if not folder.exists():
            _build(folder, library)
    links = (folder / "links").read_text().split()
    return Busybox(folder / "busybox.elf", (folder / "busybox").read_bytes(), tuple(links))


def options_of(text: str) -> dict[str, str]:
    """The options in a configuration, with "n" for one that is not set."""
    found = (OPTION.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] or "n" for match in found if match}


def configured(text: str, wanted: Mapping[str, str]) -> str:
    """A configuration that names all options, with those of `wanted` in their places."""
    options = {**options_of(text), **wanted}
    return "".join(f"{name}={value}\n" for name, value in options.items())


def _build(folder: Path, library: Library) -> None:
    print("board: building busybox for a machine without an MMU", file=sys.stderr, flush=True)
    with appearing(folder) as filling:
        work = filling / "work"
        work.mkdir()
        source = fetch_sources(["busybox"], work)["busybox"]
        _configure(source)
        jobs = f"-j{len(os.sched_getaffinity(0))}"
        words = [f"CC={' '.join(library.compiler)}", f"CROSS_COMPILE={ARMHF.cross}"]
        # Objects alone: we link it by ourselves. The program does not say when it was made.
        words += ["cmd_busybox__=:", "KCONFIG_NOTIMESTAMP=1", "SKIP_STRIP=y"]
        _run(["make", jobs, *words, "busybox_unstripped", "busybox.links"], source)
        objects = (*source.rglob("lib.a"), *source.rglob("built-in.o"))
        library.link(sorted(objects), filling / "busybox.elf")
        elf = (filling / "busybox.elf").read_bytes()
        (filling / "busybox").write_bytes(flat_program(elf, STACK))
        (source / "busybox.links").rename(filling / "links")
        shutil.rmtree(work)


def _configure(source: Path) -> None:
    """1. No option at all. 2. Those of our configuration. 3. No to all that depend on these."""
    _run(["make", "allnoconfig"], source)
    config = source / ".config"
    wanted = options_of(CONFIG.read_text())
    config.write_text(configured(config.read_text(), wanted))
    _run(["make", "oldconfig"], source, "n\n" * 4096)
    settled = options_of(config.read_text())
    refused = [name for name, value in wanted.items() if settled.get(name, "n") != value]
    if refused:
        raise BoardError(f"busybox does not take these options: {', '.join(refused)}")


def _run(command: list[str], folder: Path, given: str | None = None) -> None:
    output_of(command, f"{command[0]} failed while busybox was built", given=given, folder=folder)
