# SPDX-License-Identifier: MIT
"""Checks captures and profiles: who recorded them, what was lost, whether epochs make sense, and
how much of a profile is found in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tinyprof.capture.format import CaptureError
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli.doctor.line import hello_checks
from tinyprof.cli.doctor.verdict import Check, State, broken_by
from tinyprof.cramfs.format import TreeError
from tinyprof.cramfs.tree import Tree
from tinyprof.disk import DiskError, read_limited
from tinyprof.heat.totals import Tally, Totals
from tinyprof.pages import Fsid
from tinyprof.profile.model import BootFacts, Profile, ProfileError
from tinyprof.profile.tprof import PROFILE_MAX, load_profile
from tinyprof.rootfs.match import Match, match
from tinyprof.tables.ledger import losses_text
from tinyprof.text import counted, shown
from tinyprof.wire.source import blind_spots

EPOCHS_LEAST = 5
"""Epochs. With fewer, the share of epochs in which a page is seen says little."""

STALE_LOOK, STALE_BROKEN = 0.02, 0.5
"""Shares of a profile's used pages that are not found in a folder."""

PATHS_SHOWN = 3


def capture_checks(path: Path, images: list[Fsid]) -> Iterator[Check]:
    """Check a capture. `images`: the images that were given beside it."""
    subject = str(path)
    try:
        with path.open("rb") as file:
            reader = CaptureReader(file, shown(subject))
            tally = Tally()
            for event in reader.events():
                tally.take(event)
    except (CaptureError, OSError) as error:
        yield broken_by(subject, "capture", error)
        return
    tally.bytes, tally.gaps = reader.line_bytes, len(reader.gaps)
    totals = tally.totals(reader.seconds, reader.decoder.sequence)
    yield _wholeness(subject, reader, totals)
    yield from _agent(subject, totals)
    yield _resolvable(subject, reader, totals, images)
    if totals.hello:
        yield _epochs(subject, totals.epochs)


def _wholeness(subject: str, reader: CaptureReader, totals: Totals) -> Check:
    text = f"{counted(totals.boots, 'boot')}, {counted(totals.records, 'record')}"
    if reader.cut_at is not None:
        return Check(
            subject,
            "capture",
            State.LOOK,
            f"{text}; cut short or damaged at byte {reader.cut_at}",
            ("it is used up to there; 'tinyprof capture repair' cuts the rest off",),
        )
    if totals.losses:
        return Check(
            subject,
            "capture",
            State.LOOK,
            f"{text}; with loss: {losses_text(totals.losses)}",
            ("connect transmit too, so that the target repeats, or take a faster rate",),
        )
    return Check(subject, "capture", State.OK, f"{text}, whole")


def _agent(subject: str, totals: Totals) -> Iterator[Check]:
    if totals.hello is None:
        yield Check(
            subject,
            "agent",
            State.BROKEN,
            "no hello in it: nobody knows which target and which image this was",
            (
                "was it the right port and rate? 'tinyprof doctor PORT' says",
                "start 'tinyprof record' before the target, or connect transmit too",
            ),
        )
        return
    yield from hello_checks(subject, totals.hello)


def _resolvable(subject: str, reader: CaptureReader, totals: Totals, images: list[Fsid]) -> Check:
    """Whether page numbers can become files."""
    volumes = totals.hello.volumes if totals.hello else ()
    run = [volume.fsid for volume in volumes if not volume.is_files]
    strangers = [fsid for fsid in images if run and fsid not in run]
    if strangers:
        theirs = ", ".join(map(str, run))
        return Check(
            subject,
            "image",
            State.BROKEN,
            f"the target ran {theirs}, and the image that was given is {strangers[0]}",
            ("give the image that was in flash",),
        )
    if reader.index is None and not images:
        return Check(
            subject,
            "image",
            State.LOOK,
            reader.index_fault or "it carries no image index",
            ("give 'tinyprof profile' the image with --image, or the folder with --rootfs",),
        )
    return Check(subject, "image", State.OK, "its pages can be resolved to files")


def _epochs(subject: str, epochs: int) -> Check:
    if epochs < EPOCHS_LEAST:
        return Check(
            subject,
            "epochs",
            State.LOOK,
            f"{counted(epochs, 'epoch')}: hot pages cannot be told from others yet",
            (f"record for {EPOCHS_LEAST} epochs of the steady state at least",),
        )
    return Check(subject, "epochs", State.OK, counted(epochs, "epoch"))


def read_profile(path: Path) -> Profile:
    """A profile. Raises ProfileError, DiskError or OSError."""
    data = read_limited(path, PROFILE_MAX)
    try:
        return load_profile(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ProfileError(
            "not a tinyprof profile: not text", "make one with 'tinyprof profile'"
        ) from None


def profile_checks(path: Path, trees: list[Path]) -> Iterator[Check]:
    """Check a profile. `trees`: the folders that were given beside it."""
    subject = str(path)
    try:
        profile = read_profile(path)
    except (ProfileError, DiskError, OSError) as error:
        yield broken_by(subject, "profile", error)
        return
    pages = sum(len(file.pages) for file in profile.files)
    boots, files = counted(len(profile.boots), "boot"), counted(len(profile.files), "file")
    if not pages:
        yield Check(subject, "profile", State.BROKEN, f"{boots}, no used page", ("record again",))
        return
    yield Check(subject, "profile", State.OK, f"{boots}, {counted(pages, 'used page')} in {files}")
    for number, boot in enumerate(profile.boots, start=1):
        yield from _boot(subject, number, boot)
    yield _epochs(subject, max((boot.epochs for boot in profile.boots), default=0))
    for tree in trees:
        yield _found_in(subject, profile, tree)


def _boot(subject: str, number: int, boot: BootFacts) -> Iterator[Check]:
    name = f"boot {number}"
    if boot.source:
        blind = list(blind_spots(boot.source))
        state = State.LOOK if boot.source.is_one_epoch else State.OK
        yield Check(subject, name, state, "; ".join([f"by {boot.source.name}", *blind]))
        if boot.in_place:
            yield Check(
                subject,
                name,
                State.LOOK,
                f"its image had {counted(boot.in_place, 'page')} in place, which "
                f"{boot.source.name} do not see",
                ("record the image without pages in place",),
            )
    if boot.losses:
        yield Check(subject, name, State.LOOK, f"with loss: {losses_text(boot.losses)}")
    if boot.epochs and not boot.steady:
        yield Check(
            subject,
            name,
            State.LOOK,
            "no steady state in it",
            ("record until the device idles, or set a mark that begins with 'steady'",),
        )


def _found_in(subject: str, profile: Profile, tree: Path) -> Check:
    name = f"in {shown(str(tree))}"
    try:
        found = match(profile, Tree.from_directory(tree, any_owner=True))
    except (TreeError, OSError) as error:
        return broken_by(subject, name, error)
    stale = found.counts.stale
    text = f"{100 * stale:.1f} % of its used pages are not found"
    if found.is_of_another_tree or stale > STALE_BROKEN:
        return Check(
            subject,
            name,
            State.BROKEN,
            f"{text}: it is of another root filesystem",
            ("give the folder that was recorded, or a recording of this one",),
        )
    if stale > STALE_LOOK:
        return Check(
            subject,
            name,
            State.LOOK,
            f"{text}: {_first(found)}",
            ("record the present build, and merge it into the profile",),
        )
    return Check(subject, name, State.OK, text)


def _first(found: Match) -> str:
    paths = found.stale
    more = len(paths) - PATHS_SHOWN
    names = ", ".join(map(shown, paths[:PATHS_SHOWN]))
    return f"{names} and {counted(more, 'more file')}" if more > 0 else names
