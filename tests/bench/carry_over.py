# SPDX-License-Identifier: MIT
"""A profile of one version of Debian's packages applied to another, against a recording of that one.

Both versions of openssl and libssl3 that Debian 12 offers for armhf are put into the reference root
filesystem and recorded under one workload. What the old profile makes hot in the new tree is compared with
what the new recording finds hot: covered, and how many more. The files that changed are counted alone too.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[n] / name) for n, name in ((1, ""), (2, "firmware/qemu"))
]

from bench.predictions import ROOT, TINYPROF, run  # noqa: E402
from reference.cache import cache_root  # noqa: E402
from reference.packages import download  # noqa: E402
from target.booting import RECORD_FROM_THE_START, record  # noqa: E402
from tinyprof.carry import match  # noqa: E402
from tinyprof.cli.profiles import open_profile  # noqa: E402
from tinyprof.cramfs import Tree  # noqa: E402
from tinyprof.temperature import Temperature, temperature  # noqa: E402

VERSIONS = {"old": "3.0.17-1~deb12u2", "new": "3.0.20-1~deb12u2"}
PACKAGES = ("libssl3", "openssl")
INIT = """#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
echo start > /dev/tinyprof
echo steady > /dev/tinyprof
round=0
while [ $round -lt 5 ]; do
	round=$((round + 1))
	openssl dgst -sha256 /bin/busybox > /tmp/digest
	openssl enc -aes-256-cbc -pbkdf2 -k secret -in /bin/df -out /tmp/sealed
	openssl enc -d -aes-256-cbc -pbkdf2 -k secret -in /tmp/sealed -out /tmp/opened
	openssl ecparam -name prime256v1 -genkey -noout -out /tmp/key
	openssl req -new -x509 -key /tmp/key -subj /CN=device -days 9 -out /tmp/cert
	openssl verify -CAfile /tmp/cert /tmp/cert > /tmp/verified
	openssl x509 -in /tmp/cert -noout -text > /tmp/text
	sleep 0.2
done
cat /tmp/verified
sync
reboot -f
"""

Pages = set[tuple[str, int]]


def make_tree(folder: Path, base: Path, version: str) -> Path:
    debs = folder / "packages"
    shutil.rmtree(debs, ignore_errors=True)
    download([f"{name}={version}" for name in PACKAGES], "armhf", cache_root() / "apt" / "armhf", debs)
    tree = folder / "rootfs"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(base, tree, symlinks=True)
    for deb in debs.glob("*.deb"):
        run("dpkg-deb", "-x", deb, tree)
    for name in ("doc", "man", "lintian"):
        shutil.rmtree(tree / "usr/share" / name, ignore_errors=True)
    (tree / "sbin/init").write_text(INIT)
    (tree / "sbin/init").chmod(0o755)
    return tree


def recorded(folder: Path, tree: Path) -> Path:
    image, capture, profile = folder / "image", folder / "boot.tpcap", folder / "boot.tprof"
    run(*TINYPROF, "build", tree, image)
    capture.unlink(missing_ok=True)
    words = ("--append", f"{RECORD_FROM_THE_START} TINYPROF_EPOCH=1000", "--timeout", "120")
    done = record(image, capture, *words, options=("--image", image))
    assert "OK" in done.console, done.console[-2000:]
    run(*TINYPROF, "profile", capture, "--symbols", tree, "-o", profile)
    return profile


def hot(profile: Path, tree: Path) -> tuple[Pages, set[str]]:
    """The hot pages of a profile in a tree, and the files that have changed since."""
    found = match(open_profile([profile]), Tree.from_directory(tree))
    pages = {
        (file.node.path, page)
        for file in found.files
        for page, use in file.uses.items()
        if temperature(use, file.steady) is Temperature.HOT
    }
    print("matched", found.counts, "missing", dict(found.missing))
    for file in found.changed:
        print("   ", file.node.path, file.counts)
    return pages, {file.node.path for file in found.changed}


def compare(what: str, carried: Pages, fresh: Pages) -> bool:
    covered, times = len(carried & fresh) / len(fresh), len(carried) / len(fresh)
    print(f"{what}: {len(fresh)} hot, {100 * covered:.1f} % covered by {times:.3f} times as many", flush=True)
    return covered >= 0.9 and times <= 1.25


def main() -> None:
    folder = ROOT / "build/carry"
    base = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo") / "rootfs"
    trees, profiles = {}, {}
    for name, version in VERSIONS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        trees[name] = make_tree(folder / name, base, version)
        profiles[name] = recorded(folder / name, trees[name])
    carried, changed = hot(profiles["old"], trees["new"])
    fresh, _ = hot(profiles["new"], trees["new"])
    good = compare("all files", carried, fresh)
    only = [{page for page in pages if page[0] in changed} for pages in (carried, fresh)]
    sys.exit(0 if compare("changed files", *only) and good else 1)


if __name__ == "__main__":
    main()
