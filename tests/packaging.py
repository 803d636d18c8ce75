# SPDX-License-Identifier: MIT
"""Builds the wheel and the sdist, installs them with each Python at hand, and uses them.

`make dist` runs this: `python tests/packaging.py [PYTHON…]`. It needs the package registry. The
wheel is installed with everything, and with click alone. The sdist is installed with everything.
All of them must build the same image.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons that pyproject.toml names."""


class PackagingError(Exception):
    """A step that failed, with its output."""


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a command and return its standard output. Raises PackagingError."""
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def pythons(named: Sequence[str]) -> Iterator[str]:
    """The interpreters to try: those that were named, else those of VERSIONS that are on PATH."""
    found = named or [path for it in VERSIONS if (path := shutil.which(f"python{it}"))]
    for python in found:
        # A version manager's stand-in is on PATH and runs nothing.
        works = subprocess.run([python, "-c", ""], capture_output=True, check=False)
        if works.returncode == 0:
            yield python
        else:
            print(f"{python}: does not run, left out")


def build(into: Path) -> tuple[Path, Path]:
    """The wheel and the sdist. The wheel is built from the sdist."""
    tools = into / "tools"
    run(sys.executable, "-m", "venv", tools)
    run(tools / "bin/pip", "install", "-q", "build", "twine")
    run(tools / "bin/python", "-m", "build", "-o", into, ROOT)
    wheel, sdist = next(into.glob("*.whl")), next(into.glob("*.tar.gz"))
    run(tools / "bin/twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def try_install(python: str, package: Path, folder: Path, *, light: bool) -> str:
    """Install a package in a clean environment and use it. Returns the hash of the image that it
    builds."""
    environment = (
        folder / f"{Path(python).name}-{package.suffix[1:]}-{'light' if light else 'full'}"
    )
    run(python, "-m", "venv", environment)
    packages: tuple[str | Path, ...] = ("--no-deps", package, "click") if light else (package,)
    constraints = ROOT / "constraints.txt"
    run(environment / "bin/pip", "install", "-q", "-c", constraints, *packages)
    tinyprof = environment / "bin/tinyprof"
    version = run(tinyprof, "--version").split()[-1]
    image = environment / "image"
    named = ("--no-cache", "--compressor", "zlib")
    run(tinyprof, "build", "-q", *named, ROOT / "docs", image)
    run(tinyprof, "image", "check", "--strict", image)
    if not light:
        run(tinyprof, "record", "sim:", "--no-tui", "-o", environment / "it.tpcap")
        run(tinyprof, "profile", environment / "it.tpcap", "-o", environment / "it.tprof")
        assert (environment / "share/man/man1/tinyprof.1").exists()
    how = "click alone" if light else "everything"
    release = run(environment / "bin/python", "-c", "import sys; print(sys.version.split()[0])")
    print(f"Python {release.strip()}, {package.name}, {how}: tinyprof {version}", flush=True)
    return hashlib.sha256(image.read_bytes()).hexdigest()


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            wheel, sdist = build(folder)
            images = set()
            for python in pythons(sys.argv[1:]):
                images.add(try_install(python, wheel, folder, light=True))
                images.add(try_install(python, wheel, folder, light=False))
                images.add(try_install(python, sdist, folder, light=False))
        except PackagingError as error:
            print(f"packaging: {error}", file=sys.stderr)
            return 1
        if len(images) != 1:
            print(f"packaging: {len(images)} different images were built", file=sys.stderr)
            return 1
        kept = ROOT / "dist"
        kept.mkdir(exist_ok=True)
        for package in (wheel, sdist):
            shutil.copy(package, kept)
    print(f"one image everywhere; {wheel.name} and {sdist.name} are in dist/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
