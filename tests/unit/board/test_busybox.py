# SPDX-License-Identifier: MIT
"""busybox and its libc for a machine without an MMU: the options and the sources of both."""

from __future__ import annotations

from pathlib import Path

from qemu_board.busybox import CONFIG, Busybox, configured, options_of
from qemu_board.musl import compiled_sources


def test_options_are_read_whether_they_are_set_or_not() -> None:
    text = '# a word\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="/proc"\n\n'
    assert options_of(text) == {"CONFIG_A": "y", "CONFIG_B": "n", "CONFIG_C": '"/proc"'}


def test_wanted_options_take_the_places_of_others() -> None:
    text = "CONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_C is not set\n"
    wanted = {"CONFIG_A": "n", "CONFIG_C": "y"}
    assert configured(text, wanted) == "CONFIG_A=n\nCONFIG_B=n\nCONFIG_C=y\n"


def test_the_shell_is_the_one_that_needs_no_fork() -> None:
    options = options_of(CONFIG.read_text())
    assert (options["CONFIG_NOMMU"], options["CONFIG_HUSH"]) == ("y", "y")
    assert "CONFIG_ASH" not in options


def test_a_program_is_installed_with_the_links_of_its_applets(tmp_path: Path) -> None:
    Busybox(Path("elf"), b"program", ("/bin/sh", "/usr/bin/[")).install(tmp_path)
    program = tmp_path / "bin/busybox"
    assert (program.read_bytes(), program.stat().st_mode & 0o777) == (b"program", 0o755)
    links = {
        str(it.relative_to(tmp_path)): str(it.readlink())
        for it in tmp_path.rglob("*/*")
        if it.is_symlink()
    }
    assert links == {"bin/sh": "/bin/busybox", "usr/bin/[": "/bin/busybox"}


def test_sources_for_other_machines_and_for_numbers_are_left_out(tmp_path: Path) -> None:
    for name in (
        *("string/memcpy.c", "string/arm/memcpy.c", "malloc/mallocng/malloc.c"),
        *("malloc/oldmalloc/malloc.c", "math/frexp.c", "math/frexpl.c", "math/sin.c", "aio/aio.c"),
    ):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(compiled_sources(tmp_path)) == [
        "./src/malloc/mallocng/malloc.c",
        "./src/math/frexp.c",
        "./src/math/frexpl.c",
        "./src/string/memcpy.c",
    ]
