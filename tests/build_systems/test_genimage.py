# SPDX-License-Identifier: MIT
"""genimage makes our image by the two lines of docs/build-systems.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from build_systems.conftest import ROOT, Reference

DOCUMENT = ROOT / "docs/build-systems.md"


@pytest.mark.skipif(not shutil.which("genimage"), reason="no genimage on this machine")
def test_genimage_makes_the_image_of_the_plain_commands(
    reference: Reference, launcher: Path, tmp_path: Path
) -> None:
    written = DOCUMENT.read_text().partition("## genimage")[2]
    lines = re.findall(r"^ {4}(.*)$", written, re.MULTILINE)
    (tmp_path / "genimage.cfg").write_text("\n".join(lines))
    plain = tmp_path / "boot"
    reference.image(plain)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    path = os.pathsep.join([str(launcher.parent), os.environ["PATH"]])
    folders = ("--rootpath", str(reference.tree), "--inputpath", "in", "--outputpath", "out")
    subprocess.run(
        ["genimage", "--config", "genimage.cfg", *folders, "--tmppath", "tmp"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        check=True,
    )
    assert (tmp_path / "out/rootfs.cramfs").read_bytes() == plain.read_bytes()
