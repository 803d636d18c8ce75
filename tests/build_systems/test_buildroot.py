# SPDX-License-Identifier: MIT
"""firmware/buildroot, held to a real Buildroot by its own tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from build_systems.conftest import ROOT, Reference, tree_of
from qemu_board.cache import cache_root
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import open_image

EXTERNAL = ROOT / "firmware/buildroot"
EXAMPLES = sorted(path.name for path in (EXTERNAL / "configs").iterdir())
OURS = sorted(path for path in EXTERNAL.rglob("*") if path.is_file())
DEVICES = "/dev/console c 622 0 0 5 1 - - -\n"


@pytest.fixture(scope="session")
def buildroot() -> Path:
    return tree_of("TINYPROF_BUILDROOT", "buildroot", "package/pkg-generic.mk")


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

    def variables(self, pattern: str) -> dict[str, str]:
        """The variables whose names match, expanded."""
        found = re.findall(r"^([A-Z0-9_]+)=(.*)$", self.make("printvars", f"VARS={pattern}"), re.M)
        return dict(found)


@pytest.fixture
def build(buildroot: Path, tmp_path: Path) -> Build:
    (tmp_path / "out").mkdir()
    return Build(buildroot, tmp_path / "out")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_says_all_it_needs_and_no_more(build: Build, example: str) -> None:
    build.make(example)
    before = (build.out / ".config").read_text()
    build.make("olddefconfig")
    assert (build.out / ".config").read_text() == before
    saved = build.out / "saved"
    build.make("savedefconfig", f"BR2_DEFCONFIG={saved}")
    assert saved.read_text() == (EXTERNAL / "configs" / example).read_text()


def test_the_image_needs_the_host_program_and_the_agent_the_kernel(build: Build) -> None:
    build.configure("tinyprof_record_defconfig")
    assert set(build.make("rootfs-tinyprof-show-depends").split()) == {
        "host-tinyprof",
        "rootfs-common",
    }
    assert "linux" in build.make("tinyprof-agent-show-depends").split()
    needed = build.make("host-tinyprof-show-recursive-depends").split()
    assert {"host-tinyprof-click", "host-python3", "host-python-hatchling"} <= set(needed)


def test_buildroot_knows_all_packages_of_ours(build: Build) -> None:
    build.configure("tinyprof_record_defconfig", "BR2_LINUX_KERNEL_EXT_TINYPROF_KERNEL=y")
    known = json.loads(build.make("show-info"))
    assert {
        "host-tinyprof",
        "host-tinyprof-click",
        "tinyprof-agent",
        "tinyprof-kernel",
        "rootfs-tinyprof",
    } <= known.keys()
    assert known["linux"]["dependencies"].count("tinyprof-kernel") <= 1
    assert "tinyprof-kernel" in build.make("linux-show-depends").split()


@pytest.mark.parametrize(
    ("lines", "kernel", "split"),
    [
        ([], "mainline", "--split-segments"),
        (["BR2_TARGET_ROOTFS_TINYPROF_PATCHED=y"], "patched", ""),
        (["BR2_LINUX_KERNEL_EXT_TINYPROF_KERNEL=y"], "patched", ""),
    ],
    ids=["stock", "patched", "kernel part chosen"],
)
def test_the_kernel_model_follows_the_configuration(
    build: Build, lines: list[str], kernel: str, split: str
) -> None:
    build.configure("tinyprof_ship_defconfig", *lines)
    found = build.variables("ROOTFS_TINYPROF_%")
    assert (found["ROOTFS_TINYPROF_KERNEL"], found.get("ROOTFS_TINYPROF_SPLIT", "")) == (
        kernel,
        split,
    )
    assert "--flash-budget 1M" in found["ROOTFS_TINYPROF_PLAN"]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", ["PERF_EVENTS", "PROC_PAGE_MONITOR", "DEBUG_FS"]),
        ("BR2_PACKAGE_TINYPROF_AGENT_KERNEL=y", ["CRAMFS_TINYPROF", "CRAMFS_XIP_FAULT"]),
    ],
    ids=["perf events", "kernel part"],
)
def test_the_recording_variant_sets_the_options_of_its_kernel(
    build: Build, line: str, options: list[str]
) -> None:
    build.configure("tinyprof_record_defconfig", line)
    fixups = build.make("printvars", "VARS=PACKAGES_LINUX_CONFIG_FIXUPS")
    assert all(f"'CONFIG_{option}=y'" in fixups for option in options)


def test_buildroots_checker_has_nothing_to_say(buildroot: Path) -> None:
    python = next(
        (
            it
            for it in (sys.executable, str(cache_root() / "check-package/bin/python"))
            if shutil.which(it)
            and not subprocess.run(
                [it, "-c", "import magic"], capture_output=True, check=False
            ).returncode
        ),
        None,
    )
    if python is None:
        pytest.skip("utils/check-package needs the Python package python-magic")
    command = [python, "utils/check-package", "-b", *map(str, OURS)]
    done = subprocess.run(command, cwd=buildroot, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert "0 warnings generated" in done.stderr


NEW_FILE = r"^--- /dev/null\n\+\+\+ b/(.+)$"


def test_the_kernel_part_is_applied_to_the_kernel_by_its_version(
    build: Build, buildroot: Path
) -> None:
    # The board's own tree may be patched already.
    sources = Path("/usr/src/linux-source-6.1.tar.xz")
    if not sources.exists():
        pytest.skip("no linux-source-6.1")
    build.configure("tinyprof_record_defconfig", "BR2_LINUX_KERNEL_EXT_TINYPROF_KERNEL=y")
    found = build.variables("TINYPROF_KERNEL_% LINUX_DIR")
    linux = Path(found["LINUX_DIR"])
    patches = sorted((ROOT / "firmware/linux/series/6.1").glob("*.patch"))
    named = {name for it in patches for name in re.findall("^--- a/(.+)$", it.read_text(), re.M)}
    made = {name for it in patches for name in re.findall(NEW_FILE, it.read_text(), re.M)}
    members = [f"linux-source-6.1/{name}" for name in ("Makefile", *sorted(named - made))]
    linux.mkdir(parents=True, exist_ok=True)
    unpack: list[str | Path] = ["tar", "-x", "--strip-components=1", "-C", linux, "-f", sources]
    subprocess.run([*unpack, *members], check=True)
    shutil.copytree(ROOT / "firmware/linux", found["TINYPROF_KERNEL_DIR"])
    (build.out / "host/bin").mkdir(parents=True, exist_ok=True)
    (build.out / "host/bin/tar").symlink_to("/usr/bin/tar")
    hook = found["TINYPROF_KERNEL_PREPARE_KERNEL"].strip().removeprefix("@")
    subprocess.run(["sh", "-ec", hook], cwd=buildroot, check=True, capture_output=True)
    assert (linux / "fs/cramfs/tinyprof.c").exists()
    (linux / "Makefile").write_text("VERSION = 4\nPATCHLEVEL = 19\n")
    refused = subprocess.run(
        ["sh", "-ec", hook], cwd=buildroot, check=False, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert "not for Linux 4.19" in refused.stderr


@pytest.fixture
def prepared(build: Build, buildroot: Path, reference: Reference, launcher: Path) -> Build:
    """Everything that the image's rule needs, as if its dependencies had been built."""
    if not shutil.which("fakeroot") or not shutil.which("rsync"):
        pytest.skip("the rule needs fakeroot and rsync")
    host = build.out / "host/bin"
    host.mkdir(parents=True)
    (host / "fakeroot").symlink_to(shutil.which("fakeroot") or "")
    (host / "tinyprof").symlink_to(launcher)
    makedevs = buildroot / "package/makedevs/makedevs.c"
    subprocess.run(["gcc", "-w", "-o", host / "makedevs", makedevs], check=True)
    shutil.copytree(reference.tree, build.out / "target", symlinks=True)
    for name in ("run", "tmp", "dev"):
        (build.out / "target" / name).mkdir(exist_ok=True)
    tables = build.out / "build/buildroot-fs"
    tables.mkdir(parents=True)
    (tables / "full_users_table.txt").touch()
    (tables / "full_devices_table.txt").write_text(DEVICES)
    return build


def run_rule(build: Build, reference: Reference, example: str) -> Path:
    """Run Buildroot's own rule for rootfs.tinyprof. Returns the image."""
    build.configure(example)
    image = build.out / "images/rootfs.tinyprof"
    build.make(
        str(image),
        "ROOTFS_TINYPROF_DEPENDENCIES=",
        f"BR2_TARGET_ROOTFS_TINYPROF_PROFILE={reference.profile}" if "ship" in example else "X=",
    )
    return image


def test_the_rule_makes_the_image_of_the_plain_commands(
    prepared: Build, reference: Reference, tmp_path: Path
) -> None:
    made = run_rule(prepared, reference, "tinyprof_ship_defconfig")
    device = [it for it in open_image(made).entries if it.kind is EntryKind.CHAR]
    assert [(it.path, it.device) for it in device] == [("/dev/console", 5 << 8 | 1)]
    table = tmp_path / "devices"
    table.write_text(DEVICES)
    target = Reference(prepared.out / "target", reference.profile)
    budget = ("--flash-budget", "1M")
    plain = target.image(tmp_path / "plain", "-q", "-D", table, plan_words=budget)
    assert made.read_bytes() == plain
    assert "page cache" in made.with_name("rootfs.tinyprof.plan.txt").read_text()


def test_without_a_profile_the_rule_makes_the_image_to_record(
    prepared: Build, reference: Reference
) -> None:
    made = open_image(run_rule(prepared, reference, "tinyprof_record_defconfig"))
    assert not any(block.in_place for entry in made.entries for block in made.blocks(entry))


def test_a_profile_of_another_root_filesystem_ends_the_rule(
    prepared: Build, reference: Reference, tmp_path: Path
) -> None:
    for path in (prepared.out / "target/usr/lib").rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"another program")
    with pytest.raises(AssertionError, match="of the profile's used pages are not found"):
        run_rule(prepared, reference, "tinyprof_ship_defconfig")
