# SPDX-License-Identifier: MIT
"""The parts of a kernel's build that are not the kernel's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qemu_board.architecture import ARMHF
from qemu_board.errors import BoardError
from qemu_board.kernel import _device_tree, _Tree, wanted_options

FAILS = "#!/bin/sh\necho 'syntax error' >&2\nexit 1\n"
WORKS = "#!/bin/sh\ncat\n"


@pytest.mark.parametrize(("gcc", "dtc"), [(FAILS, WORKS), (WORKS, FAILS)], ids=["gcc", "dtc"])
def test_a_device_tree_that_does_not_compile_is_told(
    gcc: str, dtc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, text in (("gcc", gcc), ("scripts/dtc/dtc", dtc)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tree = _Tree(tmp_path, tmp_path, ARMHF)
    with pytest.raises(BoardError, match=r"the device tree ours\.dts .*: syntax error"):
        _device_tree(tree, tmp_path / "ours.dts", tmp_path / "ours.dtb")


def test_an_option_that_a_version_does_not_have_is_not_wanted(tmp_path: Path) -> None:
    every, version = tmp_path / "kernel.config", tmp_path / "kernel-7.3.config"
    every.write_text("# Words.\nCONFIG_ONE=y\nCONFIG_ON=y\n")
    version.write_text("# CONFIG_ON is not set\nCONFIG_OTHER=12\n")
    assert wanted_options([every, version]) == ["CONFIG_ONE=y", "CONFIG_OTHER=12"]
