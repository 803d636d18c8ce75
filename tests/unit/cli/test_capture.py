# SPDX-License-Identifier: MIT
"""`tinyprof capture` as scripts and people meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import PYTHON, tinyprof_bytes
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cli.commands import capture as commands
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import HeldMapping, Mappings

RUN = [*PYTHON, "capture"]
WHOLE = Path(__file__).parents[2] / "vectors/captures/v2.tpcap"


def run(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return tinyprof_bytes("capture", *words)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    path = tmp_path / "cut.tpcap"
    path.write_bytes(WHOLE.read_bytes()[:-50])
    return path


def test_info_tells_what_is_in_it_and_what_was_lost() -> None:
    done = run("info", WHOLE, "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert (facts["version"], facts["whole"], facts["ended"]) == (2, True, "duration")
    assert (facts["records"], facts["epochs"], facts["causes"]["records"]) == (3, 3, 2)
    assert facts["missing"] == [{"run": 1, "volume": 0, "epoch": 2, "records": 2}]
    text = run("info", WHOLE).stdout.decode()
    assert "1 frame missing" in text
    assert "epoch 2 lacks 2 records" in text


def test_a_cut_capture_is_found_and_repaired(cut: Path, tmp_path: Path) -> None:
    checked = run("check", cut, "--json")
    assert (checked.returncode, json.loads(checked.stdout)["whole"]) == (3, False)
    assert run("repair", cut, "-o", tmp_path / "whole").returncode == 0
    assert run("check", tmp_path / "whole").returncode == 0
    assert run("check", cut).returncode == 3
    assert run("repair", cut).returncode == 0
    assert cut.read_bytes() == (tmp_path / "whole").read_bytes()
    assert WHOLE.read_bytes().startswith(cut.read_bytes())


def test_cat_is_one_document_of_all_events() -> None:
    events = json.loads(run("cat", WHOLE, "--json").stdout)
    assert [event["message"] for event in events if "message" in event].count("EpochEnd") == 3
    assert {"mark": "steady"} in events


def test_cat_gives_the_line_to_be_recorded_again(tmp_path: Path) -> None:
    line = tmp_path / "line"
    line.write_bytes(run("cat", WHOLE, "--line").stdout)
    words = [*RUN[:-1], "record", str(line), "-o", str(tmp_path / "again"), "--json"]
    summary = json.loads(subprocess.run(words, capture_output=True, check=False).stdout)
    assert (summary["records"], summary["lost"]["records"]) == (3, 2)


def test_what_is_no_capture_is_exit_1(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not one")
    done = run("info", tmp_path / "text")
    assert done.returncode == 1
    assert b"not a tinyprof capture" in done.stderr


def test_cat_says_each_message_in_words() -> None:
    said = run("cat", WHOLE).stdout.decode()
    assert "hello of Linux 6.1.192 armv7l, agent 0.1.0" in said
    assert "volume 0, epoch 1, 5 ms: touched 2 pages: 100x 101f" in said
    assert "1 frame missing before 4" in said
    assert "(" not in said.replace("bad checksum", "")
    assert "=" not in said


def test_cat_says_which_mappings_were_held(tmp_path: Path) -> None:
    path = tmp_path / "mappings.tpcap"
    held = (HeldMapping(100, 24, 1), HeldMapping(200, 1, 3))
    with path.open("xb", buffering=0) as file:
        CaptureWriter(file).line(encode_message(Mappings(0, 7, held), 0), 0.0)
    said = run("cat", path).stdout.decode()
    assert "volume 0, epoch 7: held 2 mappings: 24 pages from 100 on by 1, 1 page from 200" in said


def test_repair_writes_over_nothing(cut: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    for output in (tmp_path / "precious", cut):
        before = output.read_bytes()
        done = run("repair", cut, "-o", output)
        assert (done.returncode, output.read_bytes()) == (1, before)
        assert b"exists" in done.stderr


def test_repair_reads_a_large_capture_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "large.tpcap"
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file)
        for second in range(64):
            writer.line(b"\0" + b"x" * (1 << 20), float(second))
        file.write(b"half a chunk")
    size = path.stat().st_size
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (48 << 20, 48 << 20));"
        "from tinyprof.cli import main; main()"
    )
    for words in (["-o", str(tmp_path / "whole")], []):
        command = [sys.executable, "-c", code, "capture", "repair", str(path), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "12 bytes cut off" in done.stderr
    assert path.stat().st_size == (tmp_path / "whole").stat().st_size == size - 12


def test_repair_cuts_nothing_off_a_recording_that_still_grows(
    cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut.write_bytes(WHOLE.read_bytes())
    read = commands._read

    def read_meanwhile(path: Path) -> object:
        found = read(path)
        with path.open("ab") as recorder:
            recorder.write(b"what came since")
        return found

    monkeypatch.setattr(commands, "_read", read_meanwhile)
    assert commands.repair.callback
    commands.repair.callback(cut, None)
    assert cut.read_bytes() == WHOLE.read_bytes() + b"what came since"


def test_a_silence_at_the_end_is_a_cause_for_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "silent.tpcap"
    with path.open("xb", buffering=0) as file:
        CaptureWriter(file).losses({"silent_ms": 7000, "overruns": 3})
    causes = json.loads(run("info", path, "--json").stdout)["causes"]
    assert (causes["silent_ms"], causes["overruns"]) == (7000, 3)
    assert b"had sent nothing for 7 s" in run("info", path).stdout


def test_repair_leaves_no_half_file_on_a_full_disk(tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "from tinyprof.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "capture", "repair", str(WHOLE), "-o", "half"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (1, []), done.stderr
    assert "File too large" in done.stderr


def test_a_name_with_controls_is_harmless_in_every_result(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Jname.tpcap"
    path.write_bytes(WHOLE.read_bytes())
    for words in (
        ["info"],
        ["info", "--json"],
        ["check"],
        ["check", "--json"],
        ["repair"],
        ["cat"],
    ):
        done = run(words[0], path, *words[1:])
        assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", ["info", "check", "cat", "cat --line", "cat --json"])
@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_closed_stream_is_no_traceback(words: str, stream: int) -> None:
    name, *options = words.split()
    done = subprocess.run(
        [*RUN, name, str(WHOLE), *options],
        capture_output=True,
        check=False,
        preexec_fn=lambda: os.close(stream),
    )
    # What was to be printed is data: `check` alone has none.
    is_lost = stream == 1 and words != "check"
    assert (done.returncode, b"Traceback" in done.stderr) == (int(is_lost), False), done.stderr
    assert (b"standard output: Bad file descriptor" in done.stderr) == is_lost
