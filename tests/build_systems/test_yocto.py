# SPDX-License-Identifier: MIT
"""firmware/meta-tinyprof, held to OpenEmbedded's core and to bitbake by their own tools.

bitbake runs as nobody where the tests run as root, in a folder of its own with copies of all
trees. It parses all recipes of the core, which takes some minutes.
"""

from __future__ import annotations

import json
import locale
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_systems.conftest import ROOT, Reference, tree_of

LAYER = ROOT / "firmware/meta-tinyprof"
PARTS = ("agent", "firmware", "host", "docs", "LICENSE", "README.md", "SECURITY.md")
NOBODY = 65_534
TOOLS = ("chrpath", "cpio", "diffstat", "gawk", "rpcgen", "lz4c", "zstd", "git")
"""Programs that OpenEmbedded asks of a machine, and that are not everywhere."""

SETTINGS = """
MACHINE = "qemuarm"
BB_NO_NETWORK = "1"
DISTRO_FEATURES:append = " tinyprof"
TINYPROF_KERNEL_EVENTS = "1"
IMAGE_CLASSES += "image_types_tinyprof"
IMAGE_FSTYPES = "tinyprof"
IMAGE_INSTALL:append = " tinyprof-agent"
TINYPROF_PROFILE = "{profile}"
TINYPROF_FLASH_BUDGET = "1M"
"""

READ_CLASS = """
import json, sys
import bb.data, bb.parse
d = bb.data.init()
for name, value in json.loads(sys.argv[2]).items():
    d.setVar(name, value)
bb.parse.handle(sys.argv[1], d)
flags = d.getVarFlags("do_image_tinyprof", expand=["depends", "file-checksums"])
print(json.dumps({"command": d.getVar("IMAGE_CMD:tinyprof"), **flags}))
"""


@pytest.fixture(scope="session")
def bitbake() -> Path:
    return tree_of("TINYPROF_BITBAKE", "bitbake", "bin/bitbake")


@pytest.fixture(scope="session")
def core() -> Path:
    return tree_of("TINYPROF_OECORE", "openembedded-core", "meta/conf/layer.conf")


def read_class(bitbake: Path, **variables: str) -> dict[str, str]:
    """The image type as bitbake's own parser reads it, expanded."""
    path = LAYER / "classes-recipe/image_types_tinyprof.bbclass"
    done = subprocess.run(
        ["/usr/bin/python3", "-W", "ignore", "-c", READ_CLASS, path, json.dumps(variables)],
        env={"PYTHONPATH": str(bitbake / "lib"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    fields: dict[str, str] = json.loads(done.stdout)
    return fields


@pytest.mark.parametrize("model", ["mainline", "patched", "nommu"])
def test_the_image_type_depends_on_the_program_and_on_the_profile(
    bitbake: Path, model: str
) -> None:
    found = read_class(bitbake, TINYPROF_PROFILE="/p.tprof", TINYPROF_KERNEL_MODEL=model)
    assert found["depends"].strip() == "tinyprof-native:do_populate_sysroot"
    assert found["file-checksums"].strip() == "/p.tprof:True"
    assert f"--kernel {model}" in found["command"]
    assert ("--split-segments" in found["command"]) is (model == "mainline")
    assert read_class(bitbake)["file-checksums"].strip() == ""


def test_the_rule_makes_the_image_of_the_plain_commands(
    bitbake: Path, reference: Reference, launcher: Path, tmp_path: Path
) -> None:
    if not shutil.which("fakeroot"):
        pytest.skip("the rule needs fakeroot")
    command = read_class(
        bitbake,
        TINYPROF_PROFILE=str(reference.profile),
        TINYPROF_FLASH_BUDGET="1M",
        IMAGE_ROOTFS=str(reference.tree),
        IMGDEPLOYDIR=str(tmp_path),
        IMAGE_NAME="image",
        WORKDIR=str(tmp_path / "work"),
        SITEINFO_ENDIANNESS="le",
    )["command"]
    (tmp_path / "work").mkdir()
    path = os.pathsep.join([str(launcher.parent), os.environ["PATH"]])
    subprocess.run(
        ["fakeroot", "sh", "-ec", command],
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
    )
    # To fakeroot everything is root's.
    plain = reference.image(tmp_path / "plain", "-q", plan_words=("--flash-budget", "1M"))
    assert (tmp_path / "image.tinyprof").read_bytes() == plain
    assert "page cache" in (tmp_path / "image.tinyprof.plan.txt").read_text()


slow = pytest.mark.skipif(
    not os.environ.get("TINYPROF_CHECK_LAYER"),
    reason="bitbake parses the whole core, for many minutes: set TINYPROF_CHECK_LAYER=1",
)


class Bed:
    """A build folder with copies of all trees, in which bitbake runs as an ordinary user."""

    def __init__(self, folder: Path, core: Path, bitbake: Path) -> None:
        self.folder = folder
        self.profile = folder / "boot.tprof"
        self.profile.write_text("first")
        shutil.copytree(core, folder / "core", symlinks=True)
        shutil.copytree(bitbake, folder / "core/bitbake", symlinks=True)
        for name in PARTS:
            source, target = ROOT / name, folder / "tinyprof" / name
            target.parent.mkdir(exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        shutil.copy(ROOT / "pyproject.toml", folder / "tinyprof")
        self.own()

    def own(self) -> None:
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.folder], check=True)

    def configure(self, settings: str, *layers: Path) -> None:
        conf = self.folder / "build/conf"
        conf.mkdir(parents=True, exist_ok=True)
        (conf / "local.conf").write_text(settings)
        all_layers = " ".join(map(str, (self.folder / "core/meta", *layers)))
        (conf / "bblayers.conf").write_text(f'BBPATH = "${{TOPDIR}}"\nBBLAYERS = "{all_layers}"\n')
        self.own()

    def run(self, words: str) -> str:
        """The output of a program of bitbake or OpenEmbedded. Fails where it failed."""
        script = f". core/oe-init-build-env build > /dev/null && {words}"
        ids = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(self.folder),
                "LC_ALL": "C.utf8",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **ids,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return str(done.stdout)


@pytest.fixture(scope="module")
def bed(core: Path, bitbake: Path) -> Iterator[Bed]:
    missing = [name for name in TOOLS if not shutil.which(name)]
    if missing:
        pytest.skip(f"OpenEmbedded needs {', '.join(missing)}")
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, ("en_US", "UTF-8"))
    except locale.Error:
        pytest.skip("bitbake needs the locale en_US.UTF-8")
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    with tempfile.TemporaryDirectory(prefix="tinyprof-yocto-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Bed(Path(name), core, bitbake)


def hash_of_image(bed: Bed) -> str:
    """The hash of the task that makes the image, and on which its result depends."""
    bed.run("bitbake -S none core-image-minimal")
    stamps = bed.folder / "build/tmp/stamps"
    found = max(
        stamps.rglob("*do_image_tinyprof.sigdata.*"), key=lambda path: path.stat().st_mtime_ns
    )
    return found.suffix


@slow
@pytest.mark.timeout(3600)
def test_all_recipes_parse_and_a_new_profile_makes_a_new_image(bed: Bed) -> None:
    bed.configure(
        SETTINGS.format(profile=bed.profile), bed.folder / "tinyprof/firmware/meta-tinyprof"
    )
    said = bed.run("bitbake -p")
    assert not re.search("WARNING|ERROR", said), said
    first = hash_of_image(bed)
    bed.profile.write_text("second")
    assert hash_of_image(bed) != first
    bed.profile.write_text("first")
    assert bed.run("bitbake-getvar -r tinyprof-agent --value PACKAGE_ARCH").strip()


@slow
@pytest.mark.timeout(7200)
def test_yocto_check_layer_has_nothing_to_say(bed: Bed) -> None:
    bed.configure('MACHINE = "qemuarm"\nBB_NO_NETWORK = "1"\n')
    layer = bed.folder / "tinyprof/firmware/meta-tinyprof"
    said = bed.run(f"yocto-check-layer --no-auto-dependency -- {layer}")
    assert "... PASS" in said, said
