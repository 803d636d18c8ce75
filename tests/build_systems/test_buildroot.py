# SPDX-License-Identifier: MIT
"""firmware/buildroot, held to a real Buildroot by its own tools."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from build_systems.buildroot import EXTERNAL, OURS, Answers, Build, inputs_of
from build_systems.conftest import ROOT, Reference, tree_of
from build_systems.fewer_packages import with_packages
from qemu_board.cache import cache_root
from qemu_board.kernel_source import archive, archive_at_hand, unpack
from support.remembered import remembered
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import open_image

EXAMPLES = sorted(path.name for path in (EXTERNAL / "configs").iterdir())
DEVICES = "/dev/console c 622 0 0 5 1 - - -\n"


@pytest.fixture(scope="session")
def buildroot() -> Path:
    return tree_of("TINYPROF_BUILDROOT", "buildroot", "package/pkg-generic.mk")


@pytest.fixture
def build(buildroot: Path, tmp_path: Path) -> Build:
    (tmp_path / "out").mkdir()
    return Build(buildroot, tmp_path / "out")


@pytest.fixture(scope="session")
def inputs(buildroot: Path) -> tuple[str, ...]:
    return inputs_of(buildroot)


Ask = Callable[..., Answers]


@pytest.fixture
def ask(build: Build, inputs: tuple[str, ...]) -> Ask:
    """Asks Buildroot all questions about an example with more lines behind it."""
    return functools.partial(build.answers, inputs)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_says_all_it_needs_and_no_more(
    build: Build, inputs: tuple[str, ...], example: str
) -> None:
    texts = build.saved(inputs, example)
    assert texts["again"] == texts["config"]
    assert texts["saved"] == (EXTERNAL / "configs" / example).read_text()


def test_the_image_needs_the_host_program_and_the_agent_the_kernel(ask: Ask) -> None:
    depends = ask("tinyprof_record_defconfig").depends
    assert set(depends["rootfs-tinyprof-show-depends"]) == {"host-tinyprof", "rootfs-common"}
    assert "linux" in depends["tinyprof-agent-show-depends"]
    needed = set(depends["host-tinyprof-show-recursive-depends"])
    assert {"host-tinyprof-click", "host-python3", "host-python-hatchling"} <= needed


def test_buildroot_knows_all_packages_of_ours(ask: Ask) -> None:
    said = ask("tinyprof_record_defconfig", "BR2_LINUX_KERNEL_EXT_TINYPROF_KERNEL=y")
    assert {
        "host-tinyprof",
        "host-tinyprof-click",
        "tinyprof-agent",
        "tinyprof-kernel",
        "rootfs-tinyprof",
    } <= said.info.keys()
    assert said.info["linux"]["dependencies"].count("tinyprof-kernel") <= 1
    assert "tinyprof-kernel" in said.depends["linux-show-depends"]


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
    ask: Ask, lines: list[str], kernel: str, split: str
) -> None:
    found = ask("tinyprof_ship_defconfig", *lines).variables
    assert (found["ROOTFS_TINYPROF_KERNEL"], found.get("ROOTFS_TINYPROF_SPLIT", "")) == (
        kernel,
        split,
    )
    assert "--flash-budget 1M" in found["ROOTFS_TINYPROF_PLAN"]


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        ([], ["PERF_EVENTS", "PROC_PAGE_MONITOR", "DEBUG_FS"]),
        (["BR2_PACKAGE_TINYPROF_AGENT_KERNEL=y"], ["CRAMFS_TINYPROF", "CRAMFS_XIP_FAULT"]),
    ],
    ids=["perf events", "kernel part"],
)
def test_the_recording_variant_sets_the_options_of_its_kernel(
    ask: Ask, lines: list[str], options: list[str]
) -> None:
    _, _, fixups = ask("tinyprof_record_defconfig", *lines).printed.partition(
        "PACKAGES_LINUX_CONFIG_FIXUPS="
    )
    fixups, _, _ = fixups.partition("\nROOTFS_")
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


def unpacked(*names: str) -> dict[str, str]:
    """Files of Linux 6.1 as Debian's package has them, which takes long to unpack."""
    package = archive("6.1")

    def make() -> str:
        with tempfile.TemporaryDirectory() as folder:
            unpack(package, Path(folder), *names)
            return json.dumps({name: (Path(folder) / name).read_text() for name in names})

    texts: dict[str, str] = json.loads(
        remembered(("unpacked", package.package_version, *names), [Path(__file__)], make)
    )
    return texts


def test_the_kernel_part_is_applied_to_the_kernel_by_its_version(
    build: Build, ask: Ask, buildroot: Path
) -> None:
    if not archive_at_hand("6.1"):
        pytest.skip("no linux-source-6.1")
    found = ask("tinyprof_record_defconfig", "BR2_LINUX_KERNEL_EXT_TINYPROF_KERNEL=y").variables
    linux = Path(found["LINUX_DIR"])
    patches = sorted((ROOT / "firmware/linux/series/6.1").glob("*.patch"))
    named = {name for it in patches for name in re.findall("^--- a/(.+)$", it.read_text(), re.M)}
    made = {name for it in patches for name in re.findall(NEW_FILE, it.read_text(), re.M)}
    for name, text in unpacked("Makefile", *sorted(named - made)).items():
        (linux / name).parent.mkdir(parents=True, exist_ok=True)
        (linux / name).write_text(text)
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


Rule = Callable[[str], Path]


@pytest.fixture
def run_rule(prepared: Build, ask: Ask, reference: Reference, tmp_path: Path) -> Rule:
    """Runs Buildroot's own rule for rootfs.tinyprof with an example. Returns the image."""

    def run_rule(example: str) -> Path:
        packages = ask(example).info
        small = with_packages(prepared.buildroot, packages, tmp_path / "buildroot")
        build = Build(small, prepared.out)
        build.configure(example)
        image = build.out / "images/rootfs.tinyprof"
        build.make(
            str(image),
            "ROOTFS_TINYPROF_DEPENDENCIES=",
            f"BR2_TARGET_ROOTFS_TINYPROF_PROFILE={reference.profile}"
            if "ship" in example
            else "X=",
        )
        return image

    return run_rule


def test_the_rule_makes_the_image_of_the_plain_commands(
    prepared: Build, run_rule: Rule, reference: Reference, tmp_path: Path
) -> None:
    made = run_rule("tinyprof_ship_defconfig")
    device = [it for it in open_image(made).entries if it.kind is EntryKind.CHAR]
    assert [(it.path, it.device) for it in device] == [("/dev/console", 5 << 8 | 1)]
    table = tmp_path / "devices"
    table.write_text(DEVICES)
    target = Reference(prepared.out / "target", reference.profile)
    budget = ("--flash-budget", "1M")
    plain = target.image(tmp_path / "plain", "-q", "-D", table, plan_words=budget)
    assert made.read_bytes() == plain
    assert "page cache" in made.with_name("rootfs.tinyprof.plan.txt").read_text()


def test_without_a_profile_the_rule_makes_the_image_to_record(run_rule: Rule) -> None:
    made = open_image(run_rule("tinyprof_record_defconfig"))
    assert not any(block.in_place for entry in made.entries for block in made.blocks(entry))


def test_a_profile_of_another_root_filesystem_ends_the_rule(
    prepared: Build, run_rule: Rule
) -> None:
    for path in (prepared.out / "target/usr/lib").rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"another program")
    with pytest.raises(AssertionError, match="of the profile's used pages are not found"):
        run_rule("tinyprof_ship_defconfig")
