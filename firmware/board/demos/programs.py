# SPDX-License-Identifier: MIT
"""The reference programs that are built anew: Debian's sources in, object files and the words of
their links out.

Each function has a section of its own (-ffunction-sections). The objects are compiled once; the
links differ.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.packages import download, need, unpack_package, version_of
from qemu_board.sources import fetch_sources

CROSS = "arm-linux-gnueabihf-"
CC = f"{CROSS}gcc"
LIBRARIES = "usr/lib/arm-linux-gnueabihf"
"""The folder of shared libraries in the root filesystem."""

TOOLS = ("gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross", "gcc", "libc6-dev", "make", "tcl")
"""Debian packages that the programs are built with. SQLite makes its sources with Tcl."""

HEADERS = ("libpcre2-dev",)
"""armhf packages of which the headers are needed."""

FLAGS = ("-O2", "-ffunction-sections", "-fdata-sections")

SQLITE_OPTIONS = re.compile(r"-DSQLITE_[A-Z0-9_]+(?:=\d+)?")
"""An option in Debian's rules for SQLite."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A program or library: its path in the root filesystem, the folder of its objects beside the
    others', and the words of its link."""

    path: str
    objects: str
    words: tuple[str, ...]


LINKED = (
    Linked("bin/busybox", "busybox", ("-Wl,--gc-sections", "-lresolv")),
    Linked(
        f"{LIBRARIES}/libsqlite3.so.0.8.6",
        "sqlite3",
        ("-shared", "-Wl,-soname,libsqlite3.so.0", "-lm"),
    ),
    Linked("usr/bin/sqlite3", "shell", (f"{{root}}/{LIBRARIES}/libsqlite3.so.0.8.6",)),
    Linked("usr/bin/lua5.4", "lua5.4", ("-Wl,--export-dynamic", "-lm")),
    Linked(
        "usr/sbin/lighttpd",
        "lighttpd",
        ("-Wl,--export-dynamic", f"{{root}}/{LIBRARIES}/libpcre2-8.so.0"),
    ),
)
"""In the order of their links: SQLite's shell is linked against its library."""

MODULES = ("mod_accesslog.so", "mod_cgi.so")
"""The modules of lighttpd that the workload loads. They are not ordered."""


def objects_folder() -> Path:
    """The folder with all programs' objects, a folder each, and `modules`. It is built if the
    cache has none of the same compiler."""
    need(*TOOLS)
    words = [*FLAGS, f"gcc {version_of(TOOLS[0])}"]
    folder = cache_root() / "dense" / key_of(words, [Path(__file__)])
    with locked("dense"):
        for name, recipe in RECIPES.items():
            if not (folder / f"{name}.done").exists():
                _build(name, recipe, folder)
    return folder


def _build(name: str, recipe: Recipe, folder: Path) -> None:
    """Fetch the source of a package and compile it. Its folders appear whole."""
    with appearing(folder / f"{name}.done") as filling:
        source = fetch_sources((name,), filling / "sources")[name]
        print(f"board: compiling {name}", file=sys.stderr, flush=True)
        made = filling / "made"
        made.mkdir()
        recipe(source, made)
        shutil.rmtree(filling / "sources")
        for path in made.iterdir():
            shutil.rmtree(folder / path.name, ignore_errors=True)
            path.rename(folder / path.name)


def _busybox(source: Path, into: Path) -> None:
    shutil.copy(source / "debian/config/pkg/deb", source / ".config")
    make = ["make", "ARCH=arm", f"CROSS_COMPILE={CROSS}"]
    _run([*make, "oldconfig"], source, said="\n" * 2000)
    _run([*make, _jobs(), "busybox_unstripped"], source)
    objects = [
        path
        for path in source.rglob("*.o")
        if path.name != "built-in.o" and path.relative_to(source).parts[0] != "scripts"
    ]
    _keep(objects, source, into / "busybox")


def _sqlite(source: Path, into: Path) -> None:
    made = source / "made"
    made.mkdir()
    _run(["../configure", "--disable-tcl", "--disable-readline"], made)
    _run(["make", "sqlite3.c", "shell.c"], made)
    options = SQLITE_OPTIONS.findall((source / "debian/rules").read_text())
    _compile(made / "sqlite3.c", into / "sqlite3", "-fPIC", "-DHAVE_USLEEP=1", *options)
    _compile(made / "shell.c", into / "shell", *options)


def _lua(source: Path, into: Path) -> None:
    folder = source / "src"
    # Debian's package makes this header when it is built.
    (folder / "lua5.4-deb-multiarch.h").write_text(
        f'#define DEB_HOST_MULTIARCH "{LIBRARIES.rpartition("/")[2]}"\n'
    )
    for path in sorted(folder.glob("*.c")):
        if path.name != "luac.c":
            _compile(path, into / "lua5.4", "-DLUA_COMPAT_5_3", "-DLUA_USE_LINUX")


def _lighttpd(source: Path, into: Path) -> None:
    root = source / "armhf"
    state = cache_root() / "apt" / "armhf"
    with locked("packages"):
        packages = download((*HEADERS, "libpcre2-8-0"), "armhf", state, source / "debs")
    for package in packages:
        unpack_package(package, root)
    without = [f"--without-{name}" for name in ("zlib", "bzip2", "attr", "nettle", "xxhash")]
    pcre = [
        f"PCRE2_CFLAGS=-I{root}/usr/include",
        f"PCRE2_LIBS={root}/{LIBRARIES}/libpcre2-8.so.0",
    ]
    configure = ["./configure", "--host=arm-linux-gnueabihf", "--disable-dependency-tracking"]
    configure += ["--prefix=/usr", "--libdir=/usr/lib/lighttpd", "--with-pcre2", *without, *pcre]
    _run([*configure, f"CFLAGS={' '.join(FLAGS)}"], source)
    modules = [name.replace(".so", ".la") for name in MODULES]
    make = ["make", _jobs(), "-C", "src"]
    # Sources that make makes before everything else, and not for a single program.
    _run([*make, "parsers", "versionstamp"], source)
    _run([*make, "lighttpd", *modules], source)
    said = _run(["make", "-n", "-W", "server.c", "-C", "src", "lighttpd"], source)
    link = next(line for line in said.splitlines() if " -o lighttpd " in line)
    objects = [source / "src" / word for word in shlex.split(link) if word.endswith(".o")]
    _keep(objects, source, into / "lighttpd")
    (into / "modules").mkdir()
    for name in MODULES:
        shutil.copy(source / "src/.libs" / name, into / "modules")


def _compile(source: Path, into: Path, *flags: str) -> None:
    into.mkdir(exist_ok=True)
    _run(
        [CC, *FLAGS, *flags, "-c", source.name, "-o", str(into / f"{source.stem}.o")],
        source.parent,
    )


def _keep(objects: Iterable[Path], source: Path, into: Path) -> None:
    """Copy objects into one folder. Their names tell where they were, so none is there twice."""
    into.mkdir()
    for path in sorted(objects):
        shutil.copy(path, into / "-".join(path.relative_to(source).parts))


def _jobs() -> str:
    return f"-j{len(os.sched_getaffinity(0))}"


def _run(command: Sequence[str], folder: Path, said: str | None = None) -> str:
    run = subprocess.run(
        command, cwd=folder, input=said, capture_output=True, text=True, check=False
    )
    if run.returncode:
        last = "\n".join((run.stderr or run.stdout).splitlines()[-5:])
        raise BoardError(f"{shlex.join(command[:4])} … failed in {folder.name}: {last}")
    return run.stdout


Recipe = Callable[[Path, Path], None]
"""Compiles the source in one folder, and leaves folders of objects in another."""

RECIPES: dict[str, Recipe] = {
    "busybox": _busybox,
    "sqlite3": _sqlite,
    "lua5.4": _lua,
    "lighttpd": _lighttpd,
}
"""By the name of Debian's source package."""
