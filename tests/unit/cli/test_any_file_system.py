# SPDX-License-Identifier: MIT
"""A target with a stock kernel and a root that is no CramFS: recorded, profiled and planned, typed
as a user types it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.elf_cases import Shape, link
from support.stock_target import LONG, SOURCE, StockTarget
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import Fsid, Kind
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Status, Volume

EXEC = Kind.EXEC


Words = list[str | Path]


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


def flowing(text: str) -> str:
    """A text without its line ends and indents."""
    return " ".join(text.split())


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A program in a directory that the target calls by another name."""
    top = tmp_path / "root"
    (top / "usr/bin").mkdir(parents=True)
    (top / "usr/bin/it").write_bytes(link(Shape(pages=12)))
    (top / "bin").symlink_to("usr/bin")
    return top


@pytest.fixture
def target(rootfs: Path) -> StockTarget:
    size = (rootfs / "usr/bin/it").stat().st_size
    sizes = {"/bin/it": size, "/run/jit (deleted)": 5000, "/opt/app/it": 9000, "//anon": 4096}
    epoch = [("/bin/it", 1, EXEC), ("/bin/it", 2, EXEC), ("/bin/it", 5, EXEC)]
    rest = [("/run/jit (deleted)", 1, EXEC), ("/opt/app/it", 0, Kind.READ), ("//anon", 0, EXEC)]
    return StockTarget(sizes, [[*epoch, *rest], epoch, epoch])


@pytest.fixture
def capture(tmp_path: Path, target: StockTarget) -> Path:
    return target.write(tmp_path / "it.tpcap")


def test_a_profile_takes_contents_from_the_folder_and_names_what_is_not_there(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    output = tmp_path / "it.tprof"
    run = tinyprof("profile", capture, "--rootfs", rootfs, "-o", output)
    assert run.returncode == 0, run.stderr
    (file,) = json.loads(output.read_text())["files"]
    assert file["path"] == "/usr/bin/it"
    assert [page for page, _, _ in file["pages"]] == [1, 2, 5]
    assert "1 of 4 used files are in the tree, with 3 of 6 used pages" in run.stderr
    assert "1 not in the tree (1 page): /opt/app/it" in run.stderr
    assert "/run/jit (deleted)" in run.stderr
    assert "//anon" in run.stderr


def test_only_verbose_names_every_file(tmp_path: Path, rootfs: Path) -> None:
    sizes = {f"/gone/{n}": 9 for n in range(9)}
    target = StockTarget(sizes | {"/usr/bin/it": (rootfs / "usr/bin/it").stat().st_size}, [])
    target.touched = [[(path, 0, EXEC) for path in target.sizes]]
    capture = target.write(tmp_path / "it.tpcap")
    words: Words = ["profile", capture, "--rootfs", rootfs, "-o", tmp_path / "it.tprof"]
    assert "/gone/3 and 5 more" in tinyprof(*words).stderr
    assert "/gone/8" in tinyprof(*words, "-v").stderr


def test_a_hostile_name_never_reaches_the_terminal(tmp_path: Path, rootfs: Path) -> None:
    sizes = {"/bin/it": (rootfs / "usr/bin/it").stat().st_size, "/odd\x1b[2J\u202e\udcff": 9}
    target = StockTarget(sizes, [[(path, 0, EXEC) for path in sizes]])
    capture = target.write(tmp_path / "it.tpcap")
    commands: list[Words] = [
        ["profile", capture, "--rootfs", rootfs, "-o", tmp_path / "it.tprof"],
        ["capture", "cat", capture],
    ]
    for words in commands:
        run = tinyprof(*words)
        assert run.returncode == 0, run.stderr
        assert "\\x1b[2J\\u202e\\udcff" in run.stderr + run.stdout
        assert "\x1b" not in run.stderr + run.stdout


def test_without_a_folder_one_line_says_what_to_do(tmp_path: Path, capture: Path) -> None:
    commands: list[Words] = [
        ["profile", capture, "-o", tmp_path / "it.tprof"],
        ["report", capture],
        ["diff", capture, capture],
        ["export", capture, "--format", "axfs-csv"],
    ]
    for words in commands:
        run = tinyprof(*words)
        assert run.returncode == 1
        assert run.stderr.count("\n") == 1
        assert "--rootfs DIR" in run.stderr
    assert not (tmp_path / "it.tprof").exists()


def test_a_wrong_folder_is_refused(tmp_path: Path, capture: Path, board_capture: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    output = tmp_path / "it.tprof"
    cases: list[tuple[Words, str]] = [
        ([capture, "--rootfs", empty], "none of the files that the target told is in it"),
        ([capture, "--rootfs", tmp_path / "none"], "No such file"),
        ([capture, "--rootfs", capture], "not a directory"),
        ([board_capture, "--rootfs", empty], "--rootfs is of no use"),
    ]
    for words, said in cases:
        run = tinyprof("profile", *words, "-o", output)
        assert run.returncode == 1, words
        assert said in run.stderr
        assert not output.exists()


@pytest.fixture
def board_capture(tmp_path: Path) -> Path:
    """A capture of the reference board, which has a CramFS root and our kernel part."""
    output = tmp_path / "board.tpcap"
    assert tinyprof("record", "sim:", "--speed", "0", "--no-tui", "-o", output).returncode == 0
    return output


def test_the_folder_of_a_plan_stands_in_for_the_recorded_one(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    profile = tmp_path / "it.tprof"
    tinyprof("profile", capture, "--rootfs", rootfs, "-o", profile)
    plans = [
        json.loads(tinyprof("plan", rootfs, "-q", "-p", source, "--json").stdout)
        for source in (capture, profile)
    ]
    assert plans[0] == plans[1]
    assert plans[0]["pages"] == {"/usr/bin/it": [[1, 2], 5]}
    image = tmp_path / "it.cramfs"
    built = tinyprof("build", rootfs, image, "-q", "--profile", capture)
    assert built.returncode == 0, built.stderr
    assert image.stat().st_size == plans[0]["prediction"]["image"]


def test_try_before_you_buy_is_one_printout(tmp_path: Path, rootfs: Path, capture: Path) -> None:
    profile = tmp_path / "it.tprof"
    tinyprof("profile", capture, "--rootfs", rootfs, "-o", profile)
    words: Words = [
        "plan",
        rootfs,
        "-q",
        "-p",
        profile,
        "--kernel",
        "mainline",
        "--split-segments",
    ]
    run = tinyprof(*words, "--compare-size", "40000")
    assert run.returncode == 0, run.stderr
    said = json.loads(tinyprof(*words, "--compare-size", "40000", "--json").stdout)
    size = said["prediction"]["image"]
    more = size - 40_000
    assert said["compare"] == {
        "size": 40_000,
        "difference": more,
        "percent": round(more / 400, 2),
    }
    text = flowing(run.stdout).replace(",", "")
    assert f"against the image of today 40000 bytes: {more:+} bytes {more / 400:+.1f} %" in text
    assert "recorded by page-fault events" in text
    assert "read() was not seen" in text
    assert "one long epoch" not in text
    (source,) = said["sources"]
    assert source["unknown"] == ["file", "write"]
    assert source["boots"] == 1


def test_one_long_epoch_is_said_and_every_used_page_is_hot(
    tmp_path: Path, rootfs: Path, target: StockTarget
) -> None:
    capture = replace(target, source=LONG).write(tmp_path / "long.tpcap")
    run = tinyprof("plan", rootfs, "-q", "-p", capture)
    assert "every used page counts as hot" in flowing(run.stdout)
    report = json.loads(tinyprof("report", capture, "--rootfs", rootfs, "--json").stdout)
    assert (report["hot"], report["warm"], report["once"], report["epochs"]) == (3, 0, 0, 1)


def test_a_plan_of_the_kernels_own_part_leaves_nothing_unknown(
    rootfs: Path, board_capture: Path
) -> None:
    run = tinyprof("plan", rootfs, "-q", "-p", board_capture, "--json")
    assert json.loads(run.stdout)["sources"] == []


@pytest.mark.parametrize("words", [["0"], ["9", "--curve"], ["x"]])
def test_sizes_to_compare_with_are_bytes_of_one_image(
    rootfs: Path, capture: Path, words: list[str]
) -> None:
    run = tinyprof("plan", rootfs, "-p", capture, "--compare-size", *words)
    assert run.returncode == 2


def test_a_report_names_the_source(tmp_path: Path, rootfs: Path, capture: Path) -> None:
    page = tmp_path / "it.html"
    run = tinyprof("report", capture, "--rootfs", rootfs)
    assert "recorded by page-fault events; read() is not seen" in flowing(run.stdout)
    assert tinyprof("report", capture, "--rootfs", rootfs, "--html", page).returncode == 0
    assert "recorded by page-fault events; read() is not seen" in page.read_text()


def recorded(
    tmp_path: Path, line: bytes, *words: str | Path
) -> tuple[int, str, dict[str, object]]:
    (tmp_path / "line").write_bytes(line)
    command: Words = ["record", tmp_path / "line", "-o", tmp_path / "out.tpcap", "--json", *words]
    run = tinyprof(*command)
    return run.returncode, run.stderr, json.loads(run.stdout)


def test_a_recording_says_what_saw_the_touches_and_what_that_cannot_see(
    tmp_path: Path, target: StockTarget
) -> None:
    late = replace(SOURCE, around=16, late=True)
    code, said, summary = recorded(tmp_path, replace(target, source=late).line())
    (line,) = [line for line in said.splitlines() if line.startswith("tinyprof: recorded by")]
    for part in (
        "page-fault events",
        "read() is not seen",
        "private copies for writes are not seen",
        "64 KiB at once",
        "programs ran before the agent",
    ):
        assert part in line
    assert code == 0
    hello = summary["hello"]
    assert isinstance(hello, dict)
    assert hello["source"] == {
        "tracer": 1,
        "rearm": 1,
        "around": 16,
        "kinds": "xr",
        "late": True,
    }
    assert summary["files_told"] == 4


def test_what_waits_for_epochs_is_said_to_wait_for_ever(
    tmp_path: Path, target: StockTarget
) -> None:
    line = replace(target, source=LONG, ends=False).line()
    _, said, _ = recorded(tmp_path, line, "--epochs", "2")
    assert "--epochs and --roll wait for ever" in said


def test_the_kernels_own_part_is_not_worth_a_line(tmp_path: Path, target: StockTarget) -> None:
    own = replace(SOURCE, tracer=0)
    _, said, _ = recorded(tmp_path, replace(target, source=own).line())
    assert "recorded by" not in said


def test_dropped_events_are_a_loss_by_every_account(tmp_path: Path, target: StockTarget) -> None:
    lossy = encode_message(Status(9, 0, 0, 0, lost_events=12), len(target.messages()))
    code, said, summary = recorded(tmp_path, target.line() + lossy)
    assert code == 3
    assert "12 events that the target's kernel dropped" in flowing(said)
    lost = summary["lost"]
    assert isinstance(lost, dict)
    assert lost["lost_events"] == 12
    assert summary["lossless"] is False
    info = flowing(tinyprof("capture", "info", tmp_path / "out.tpcap").stdout)
    assert "12 events that the target's kernel dropped" in info
    assert "recorded by page-fault events" in info
    assert "4 files of other file systems than CramFS told" in info


def test_a_recording_with_a_folder_needs_it_no_more(
    tmp_path: Path, rootfs: Path, target: StockTarget
) -> None:
    code, said, _ = recorded(tmp_path, target.line(), "--rootfs", rootfs)
    assert code == 0, said
    with (tmp_path / "out.tpcap").open("rb") as file:
        index = CaptureReader(file).index
    assert index
    assert index.of_tree
    assert sum(index.files[0].stored)
    profile = tmp_path / "it.tprof"
    assert tinyprof("profile", tmp_path / "out.tpcap", "-o", profile).returncode == 0
    assert json.loads(profile.read_text())["files"][0]["path"] == "/usr/bin/it"
    again = tmp_path / "again.tpcap"
    played = tinyprof(
        "record", f"sim:{tmp_path / 'out.tpcap'}", "--speed", "0", "--no-tui", "-o", again
    )
    assert played.returncode == 0, played.stderr
    second = tmp_path / "again.tprof"
    assert tinyprof("profile", again, "-o", second).returncode == 0
    assert second.read_bytes() == profile.read_bytes()


def test_a_folder_does_not_take_the_place_of_an_image(tmp_path: Path, rootfs: Path) -> None:
    output = tmp_path / "it.tpcap"
    words: Words = ["record", "sim:", "--speed", "0", "--no-tui", "--rootfs", rootfs, "-o", output]
    run = tinyprof(*words)
    assert run.returncode == 0, run.stderr
    assert "of no use" not in run.stderr
    with output.open("rb") as file:
        index = CaptureReader(file).index
    assert index
    assert not index.of_tree


def test_a_folder_is_of_no_use_to_a_target_that_tells_no_files(
    tmp_path: Path, rootfs: Path, target: StockTarget
) -> None:
    root = Volume(0, Fsid(1, 2, 3, 4), 9, "C", True)
    bare = StockTarget({}, [[]], volumes=(root,))
    code, said, _ = recorded(tmp_path, bare.line(), "--rootfs", rootfs)
    assert code == 0
    assert "tells no files, so a folder is of no use" in said


def test_a_folder_for_a_target_with_cramfs_too_is_warned_of(
    tmp_path: Path, rootfs: Path, target: StockTarget
) -> None:
    root = Volume(0, Fsid(1, 2, 3, 4), 9, "C", True)
    both = replace(target, volumes=(root, *target.volumes), first_ids={})
    code, said, _ = recorded(tmp_path, both.line(), "--rootfs", rootfs)
    assert code == 0
    assert "the target runs 00000001/2/3/4 too" in said


def test_an_image_with_pages_in_place_is_warned_of(tmp_path: Path, rootfs: Path) -> None:
    image = tmp_path / "it.cramfs"
    plan = tmp_path / "it.plan"
    plan.write_text('{"format":1,"pages":{"/usr/bin/it":[0,1,2]}}')
    assert tinyprof("build", rootfs, image, "-q", "--plan", plan).returncode == 0
    info = json.loads(tinyprof("image", "info", "--json", image).stdout)
    crc, *rest = str(info["fsid"]).split("/")
    root = Volume(0, Fsid(int(crc, 16), *map(int, rest)), image.stat().st_size, "C", True)
    bare = StockTarget({}, [[]], volumes=(root,))
    code, said, _ = recorded(tmp_path, bare.line(), "--image", image)
    assert code == 0, said
    assert "the image has 3 pages in place: page-fault events do not see those" in said
    profile = tmp_path / "it.tprof"
    assert tinyprof("profile", tmp_path / "out.tpcap", "-o", profile).returncode == 0
    assert json.loads(profile.read_text())["runs"][0]["in_place"] == 3


def test_every_part_of_a_rolled_recording_tells_its_files(
    tmp_path: Path, rootfs: Path, target: StockTarget
) -> None:
    target.touched = [*target.touched, *([target.touched[1]] * 20)]
    whole = target.write(tmp_path / "whole.tpcap")
    words: Words = ["record", f"sim:{whole}", "--speed", "0", "--rootfs", rootfs, "--json"]
    run = tinyprof(*words, "--roll", "1k", "-o", tmp_path / "part.tpcap")
    assert run.returncode == 0, run.stderr
    count = json.loads(run.stdout)["parts"]
    assert count > 1
    parts = [tmp_path / "part.tpcap", *(tmp_path / f"part-{n}.tpcap" for n in range(1, count))]
    profiles = [tmp_path / name for name in ("last", "all", "one")]
    for profile, captures in zip(profiles, ([parts[-1]], parts, [whole]), strict=True):
        run = tinyprof("profile", *captures, "--rootfs", rootfs, "-o", profile)
        assert run.returncode == 0, run.stderr
    (file,) = json.loads(profiles[0].read_text())["files"]
    assert [page for page, _, _ in file["pages"]] == [1, 2, 5]
    assert profiles[1].read_bytes() == profiles[2].read_bytes()
