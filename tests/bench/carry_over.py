# SPDX-License-Identifier: MIT
"""A profile of one version of Debian's packages applied to another, against a recording of that
one.

Both versions of OpenSSL and OpenSSH that Debian 12 offers for armhf are put into the reference
root filesystem and recorded under one workload. What the old profile makes hot in the new tree is
compared with what the new recording finds hot: covered, and how many more. The files that changed
are counted alone too.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[n] / name) for n, name in ((1, ""), (2, "firmware/board"))
]

from bench.predictions import ROOT, TINYPROF, run  # noqa: E402
from qemu_board.cache import cache_root  # noqa: E402
from qemu_board.packages import download  # noqa: E402
from target.booting import RECORD_FROM_THE_START, record  # noqa: E402
from tinyprof.cli.opening import open_profile  # noqa: E402
from tinyprof.cramfs.tree import Tree  # noqa: E402
from tinyprof.profile.temperature import Temperature, temperature  # noqa: E402
from tinyprof.rootfs.match import match  # noqa: E402

INIT = """#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
echo start > /dev/tinyprof
{before}
echo steady > /dev/tinyprof
round=0
while [ $round -lt 5 ]; do
	round=$((round + 1))
{round}
	sleep 0.2
done
cat /tmp/verified
sync
reboot -f
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Packages of two versions, what else they need, and what the device does with them.

    `verified` is what stands in /tmp/verified then. An epoch has `epoch_ms`, about what a round
    takes, so that what each round uses is hot in both recordings, however its parts fall into
    epochs.
    """

    packages: tuple[str, ...]
    old: str
    new: str
    needs: tuple[str, ...]
    before: str
    round: str
    verified: str
    epoch_ms: int


PAIRS = {
    "openssl": Pair(
        ("libssl3", "openssl"),
        "3.0.17-1~deb12u2",
        "3.0.20-1~deb12u2",
        (),
        "",
        """
	openssl dgst -sha256 /bin/busybox > /tmp/digest
	openssl enc -aes-256-cbc -pbkdf2 -k secret -in /bin/df -out /tmp/sealed
	openssl enc -d -aes-256-cbc -pbkdf2 -k secret -in /tmp/sealed -out /tmp/opened
	openssl ecparam -name prime256v1 -genkey -noout -out /tmp/key
	openssl req -new -x509 -key /tmp/key -subj /CN=device -days 9 -out /tmp/cert
	openssl verify -CAfile /tmp/cert /tmp/cert > /tmp/verified
	openssl x509 -in /tmp/cert -noout -text > /tmp/text
""",
        "OK",
        1000,
    ),
    "openssh": Pair(
        ("openssh-client", "openssh-server", "openssh-sftp-server"),
        "1:9.2p1-2+deb12u7",
        "1:9.2p1-2+deb12u10",
        (
            "libedit2",
            "libfido2-1",
            "libcbor0.8",
            "libpam0g",
            "libaudit1",
            "libcap-ng0",
            "libwrap0",
            "libudev1",
        ),
        """
mkdir /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /tmp/host
ssh-keygen -q -t ed25519 -N '' -f /tmp/id
cp /tmp/id.pub /tmp/keys
echo "HostKey /tmp/host
AuthorizedKeysFile /tmp/keys
StrictModes no
KexAlgorithms curve25519-sha256
UsePAM no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server" > /tmp/sshd_config
echo "Host device
User root
IdentityFile /tmp/id
StrictHostKeyChecking no
UserKnownHostsFile /tmp/known
LogLevel ERROR
ProxyCommand /usr/sbin/sshd -i -f /tmp/sshd_config" > /tmp/ssh_config
""",
        """
	ssh -F /tmp/ssh_config device 'df /tmp > /tmp/df; echo connected' > /tmp/verified
	sftp -q -F /tmp/ssh_config -b - device > /tmp/listed <<- END
		put /bin/df /tmp/copied
		ls -l /tmp
	END
	rm -f /tmp/df.sig
	ssh-keygen -q -Y sign -f /tmp/id -n file /tmp/df 2> /tmp/signed
	ssh-keygen -Y check-novalidate -n file -s /tmp/df.sig < /tmp/df >> /tmp/signed
	sshd -T -f /tmp/sshd_config > /tmp/settings
""",
        "connected",
        6000,
    ),
}

Pages = set[tuple[str, int]]


def make_tree(folder: Path, base: Path, pair: Pair, version: str) -> Path:
    debs = folder / "packages"
    shutil.rmtree(debs, ignore_errors=True)
    wanted = [*(f"{name}={version}" for name in pair.packages), *pair.needs]
    download(wanted, "armhf", cache_root() / "apt" / "armhf", debs)
    tree = folder / "rootfs"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(base, tree, symlinks=True)
    for deb in debs.glob("*.deb"):
        run("dpkg-deb", "-x", deb, tree)
    for name in ("doc", "man", "lintian"):
        shutil.rmtree(tree / "usr/share" / name, ignore_errors=True)
    with (tree / "etc/passwd").open("a") as users:
        users.write("sshd:x:100:0::/run/sshd:/bin/false\n")
    (tree / "sbin/init").write_text(INIT.format(before=pair.before, round=pair.round))
    (tree / "sbin/init").chmod(0o755)
    return tree


def recorded(folder: Path, tree: Path, pair: Pair) -> Path:
    image, capture, profile = folder / "image", folder / "boot.tpcap", folder / "boot.tprof"
    run(*TINYPROF, "build", tree, image)
    capture.unlink(missing_ok=True)
    words = (
        "--append",
        f"{RECORD_FROM_THE_START} TINYPROF_EPOCH={pair.epoch_ms}",
        "--timeout",
        "120",
    )
    done = record(image, capture, *words, options=("--image", image))
    assert pair.verified in done.console, done.console[-2000:]
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
    print(
        f"{what}: {len(fresh)} hot, {100 * covered:.1f} % covered by {times:.3f} times as many",
        flush=True,
    )
    return covered >= 0.9 and times <= 1.25


def carried_over(name: str, pair: Pair, base: Path) -> bool:
    trees, profiles = {}, {}
    for age, version in (("old", pair.old), ("new", pair.new)):
        folder = ROOT / "build/carry" / name / age
        folder.mkdir(parents=True, exist_ok=True)
        trees[age] = make_tree(folder, base, pair, version)
        profiles[age] = recorded(folder, trees[age], pair)
    print(f"{name} {pair.old} -> {pair.new}")
    carried, changed = hot(profiles["old"], trees["new"])
    fresh, _ = hot(profiles["new"], trees["new"])
    good = compare("all files", carried, fresh)
    only = [{page for page in pages if page[0] in changed} for pages in (carried, fresh)]
    return compare("changed files", *only) and good


def main() -> None:
    base = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/demo") / "rootfs"
    good = [
        carried_over(name, pair, base)
        for name, pair in PAIRS.items()
        if name in (sys.argv[2:] or PAIRS)
    ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
