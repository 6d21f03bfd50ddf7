"""The comparison runs: the router alone, for moments, so that the bench does not rot."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.compare.__main__ import MEASURES, candidates, source, those
from bench.compare.document import BEGIN, DOCS, END
from bench.compare.footprint import family, resident
from bench.compare.settings import Settings
from bench.compare.tools import Tools

ROOT = Path(__file__).parents[2]


def run(out: Path, *arguments: str) -> str:
    """What `python -m bench.compare --quick` prints."""
    command = [sys.executable, "-m", "bench.compare", "--quick", "--out", str(out), "--dir", str(out.parent)]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quick_run_measures_the_router(tmp_path: Path) -> None:
    """Every measure but the long ones has a figure, nothing failed, and the table and the drawing say so."""
    if shutil.which("cc") is None:
        pytest.skip("the load generator needs a C compiler, and cc is not found")
    out = tmp_path / "out"
    printed = run(out, "--candidates", "router", "--only", "publish,deliver,memory,replay", "--readers", "20")
    found = json.loads((out / "comparison.json").read_text())
    assert found["failures"] == []
    rows = {measure: set(rows) for measure, rows in found["figures"].items()}
    assert rows == {
        "publish": {"1", "1, half load", "50", "50, half load"},
        "deliver": {"20, 1 a post", "20, 50 a post", "latency"},
        "memory": {"50"},
        "replay": {"server-sent events", "NDJSON"},
    }
    for measure, quantity in (("publish", "p50"), ("deliver", "p50"), ("replay", "events")):
        for row, figures in found["figures"][measure].items():
            assert figures["router"][0][quantity] > 0, f"{measure}, {row}"
    assert "| replay of stored events to one reader | at least 1,000,000 events/s |" in printed
    assert printed.strip().endswith((out / "comparison.md").read_text().strip())
    drawing = ElementTree.fromstring((out / "comparison.svg").read_text())
    assert any("router" in (text.text or "") for text in drawing.iter("{http://www.w3.org/2000/svg}text"))


def test_what_is_not_found_is_named(tmp_path: Path) -> None:
    """A peer without its binary is left out of the table and named in it."""
    bare = Tools(tmp_path)
    path = os.environ["PATH"]
    try:
        os.environ["PATH"] = str(tmp_path)
        absent = {peer.label for peer in candidates(bare) if peer.missing()}
    finally:
        os.environ["PATH"] = path
    assert absent >= {"durable-streams", "Mercure", "Redis streams", "NATS JetStream"}
    assert not absent & {"router", "plain route"}


def test_a_binary_is_found_in_the_peers_directory(tmp_path: Path) -> None:
    """Before PATH, and under the name it is called by."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "check").write_text("")
    (tmp_path / "bin" / "cc").symlink_to("check")
    assert Tools(tmp_path).find("cc") == tmp_path / "bin" / "cc"
    assert Tools(tmp_path).find("no-such-binary") is None


def test_each_measure_gets_the_candidates_that_can_do_it() -> None:
    """A store that answers before the disk is in no table of fsyncs, one without a stream in no table of readers."""
    peers = candidates(Tools())
    assert "nchan" not in {peer.label for peer in those(peers, "fsync")}
    assert "Redis streams" not in {peer.label for peer in those(peers, "deliver")}
    assert {peer.label for peer in those(peers, "publish")} == {peer.label for peer in peers}
    assert set(MEASURES) == {"publish", "deliver", "memory", "replay", "growth", "fsync"}


def test_every_post_has_its_events() -> None:
    """As many events as the batch says, each with a mark for its time."""
    for peer in candidates(Tools()):
        for batch in (1, 50) if peer.batched else (1,):
            for data in peer.posts(batch):
                assert data.count(b"~at" + b"0" * 19) == batch, peer.label


def test_the_page_has_room_for_the_tables() -> None:
    """`--write` needs its marks."""
    text = (DOCS / "performance.md").read_text()
    assert text.index(BEGIN) < text.index(END)


def test_memory_counts_the_children() -> None:
    """All processes of a candidate."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo ready; wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = family(process.pid)
        try:
            assert len(pids) == 2
            assert resident(pids) > resident(pids[:1]) > 0
        finally:
            for pid in reversed(pids):
                os.kill(pid, 9)


def test_quick_is_smaller_in_everything(tmp_path: Path) -> None:
    """No figure of the quick run takes longer than the full one's."""
    full = Settings(tmp_path)
    quick = full.quick()
    assert quick.seconds < full.seconds
    assert quick.stored < full.stored
    assert max(quick.readers) < max(full.readers)


@pytest.mark.parametrize(
    ("write", "report", "documented"),
    [(False, False, False), (False, True, False), (True, False, True), (True, True, False)],
)
def test_what_is_reported_is_what_was_measured_last(*, write: bool, report: bool, documented: bool) -> None:
    out = Path("out")
    found = source(argparse.Namespace(write=write, report=report, out=out))
    assert found == (DOCS / "performance" if documented else out) / "comparison.json"
