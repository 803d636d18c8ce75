# SPDX-License-Identifier: MIT
"""Without an MMU every file reads back, by read() and through a mapping, in place and
compressed."""

from __future__ import annotations

import random
import re
import zlib
from pathlib import Path

import pytest

from target.booting import boot
from target.nommu import ARCH, VERSIONS, at_hand, flat_guest, image_of
from tinyprof.cramfs.kernel import KernelModel, judge
from tinyprof.pages import PAGE_SIZE, pages_in

KERNELS = [
    pytest.param(version, kind, words, marks=at_hand(version, stock="--stock" in words))
    for kind, words in (("nommu", ("--stock",)), ("patched", ()))
    for version in VERSIONS
]
SEED = 20261129
SIZES = (1, 4095, 4096, 4097, 3 * 4096, 3 * 4096 + 5, 20_000)


def files_of(folder: Path) -> Path:
    """A root filesystem of random and of compressible files of all kinds of sizes."""
    rng = random.Random(SEED)
    top = folder / "root"
    for name in ("dev", "proc", "sbin"):
        (top / name).mkdir(parents=True)
    for number, size in enumerate(SIZES):
        (top / f"random-{number}").write_bytes(rng.randbytes(size))
        (top / f"placed-{number}").write_bytes(rng.randbytes(size))
        (top / f"text-{number}").write_bytes((b"words " * size)[:size])
    init = top / "sbin/init"
    init.write_bytes(flat_guest(folder, "reader", 0))
    init.chmod(0o755)
    names = sorted(f"/{path.relative_to(top)}" for path in top.rglob("*") if path.is_file())
    (top / "files").write_text("".join(f"{name}\n" for name in names))
    return top


def placed(root: Path, kernel: KernelModel) -> dict[str, list[int]]:
    """All pages of some files, as far as the kernel is fit for them."""
    found = {}
    for path in root.glob("placed-*"):
        data = path.read_bytes()
        verdict = judge(kernel, data[:PAGE_SIZE], len(data), range(pages_in(len(data))))
        found[f"/{path.name}"] = sorted(verdict.in_place)
    return found


@pytest.mark.parametrize(("version", "kind", "words"), KERNELS)
def test_every_file_reads_back(
    version: str, kind: KernelModel, words: tuple[str, ...], tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    root = files_of(tmp_path)
    pages = placed(root, kind)
    # The patch mends read() of a whole last block, so only there it goes in place.
    assert bool(pages["/placed-2"]) == (kind == "patched")
    image = image_of(root, tmp_path / "image", pages, kernel=kind)
    console = boot(image, *ARCH, *words, "--mem", "4", "--version", version)
    assert "all files are read" in console
    rows = re.findall(r"^file: (\S+) (\d+) (\d+)", console, re.MULTILINE)
    expected = [
        (name, str(crc), str(crc))
        for name in (root / "files").read_text().split()
        for crc in [zlib.crc32((root / name[1:]).read_bytes())]
    ]
    assert rows == expected
