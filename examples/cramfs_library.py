# SPDX-License-Identifier: MIT
"""Builds an image of a small root filesystem, looks into it, checks it and extracts it again.

python examples/cramfs_library.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tinyprof.cramfs import (
    CramfsError,
    DiskCache,
    EntryKind,
    Tree,
    WriteOptions,
    apply_device_table,
    check_image,
    extract_image,
    measure,
    open_image,
    write_image,
)

DEVICES = """
# path        type mode uid gid major minor
/dev          d    755  0   0
/dev/console  c    600  0   0   5     1
"""


def make_root(top: Path) -> None:
    """A root filesystem of one program and one link."""
    (top / "bin").mkdir(parents=True)
    (top / "bin/program").write_bytes(os.urandom(4096) + b"compresses well " * 1000)
    (top / "init").symlink_to("bin/program")


def build(top: Path, image: Path, cache: DiskCache) -> None:
    """Build an image in which the first page of the program is executed in place."""
    tree = apply_device_table(Tree.from_directory(top, squash=True), DEVICES)
    written = write_image(tree, {"/bin/program": [0]}, WriteOptions(name="example"), cache=cache)
    cache.save()
    image.write_bytes(written.image)
    print(f"built: {written.xip_pages} page in place, {len(written.refused)} refused")


def look(path: Path) -> None:
    """List the image, and say what its bytes are used for."""
    image = open_image(path)
    for entry in image.entries:
        in_place = sum(block.in_place for block in image.blocks(entry))
        print(
            f"{entry.kind.name.lower():9} {entry.size:6} bytes, {in_place} in place: {entry.path}"
        )
    program = next(entry for entry in image.entries if entry.kind is EntryKind.FILE)
    print(f"the program ends with {image.read(program)[-9:]!r}")
    share = measure(image)
    print(
        f"bytes: {share.in_place} in place, {share.names} of names, {share.pointers} of pointers"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        make_root(scratch / "root")
        build(scratch / "root", scratch / "image", DiskCache(scratch / "cache", "level 6"))
        look(scratch / "image")
        report = check_image((scratch / "image").read_bytes(), kernel="patched")
        print(f"checked: {report.errors} errors in {report.pages} pages")
        extracted = extract_image(open_image(scratch / "image"), scratch / "out")
        skipped = ", ".join(f"{path} ({reason})" for path, reason in extracted.skipped)
        print(f"extracted: {extracted.bytes} bytes; left out: {skipped}")
        (scratch / "broken").write_bytes(b"no image")
        try:
            open_image(scratch / "broken")
        except CramfsError as error:
            print(f"refused: {error.message.removeprefix(folder)}")


if __name__ == "__main__":
    main()
