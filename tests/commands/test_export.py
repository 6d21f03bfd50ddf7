"""`router export`: a running router's events as NDJSON and Parquet, which DuckDB opens with the documented query."""

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from router.commands.export import when
from tests.edge.routers import events, post, post_custom, running
from tests.process import RouterProcess

NOW = 1_700_000_000_000
FEATURE = (
    b'[{"kind":"feature","creationDate":1700000000000,"key":"checkout","version":7,"variation":1,\n"value":"blue",'
    b'"default":"red","context":{"kind":"user","key":"ada"}}]'
)


def export(process: RouterProcess, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "router", "export", "--data", str(process.data), *options]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


@pytest.fixture
def filled(tmp_path: Path) -> RouterProcess:
    """A router that was stopped, with seven events."""
    with running(tmp_path, "edge") as edge:
        assert post(edge.port, "/bulk", FEATURE, {"Authorization": "sdk-demo"}).status == 202
        assert post_custom(edge.port, ["a", "b", "c"])
        statsig = b'{"events":[{"eventName":"buy","user":{"userID":"u"},"time":1700000000000}]}'
        assert post(edge.port, "/v1/log_event", statsig, {"statsig-api-key": "secret-demo"}).status == 202
        assert post_custom(edge.port, ["d", "e"])
        edge.stop()
        return edge


def test_ndjson_has_the_events_as_they_came(filled: RouterProcess) -> None:
    done = export(filled, "--env", "shop/production")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["name"] for row in rows] == ["feature", "a", "b", "c", "buy", "d", "e"]
    first = rows[0]
    assert (first["kind"], first["flags"], first["contexts"]) == ("evaluation", ["checkout"], ["user:ada"])
    assert first["attributes"] == {"variation": 1, "version": 7}
    assert lines[0].endswith(b',"data":' + FEATURE[1:-1].replace(b"\n", b" ") + b"}")


def test_a_running_router_is_no_hindrance(tmp_path: Path) -> None:
    with running(tmp_path, "edge") as edge:
        assert post_custom(edge.port, ["a", "b"])
        done = export(edge, "--env", "shop/production")
        assert done.returncode == 0, done.stderr
        assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["a", "b"]
        assert post_custom(edge.port, ["c"])
        assert len(events(edge.port, 3)) == 3


def test_parquet_opens_in_duckdb_with_the_documented_query(filled: RouterProcess, tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    done = export(filled, "--env", "shop/production", "--format", "parquet", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert b"100%" in done.stderr or b"events" in done.stderr, "the progress bar"
    text = (Path(__file__).parents[2] / "docs" / "edge.md").read_text()
    found = re.search(r"```sql\n(.*?)```", text, re.DOTALL)
    assert found is not None, "docs/edge.md has the query"
    query = found[1].replace("events.parquet", str(out))
    assert duckdb.sql(query).fetchall() == [("checkout", 1, 1, 1)]
    names = duckdb.sql(f"select name, epoch_ms(time), dialect from '{out}' order by received, cursor").fetchall()
    assert ("buy", 1_700_000_000_000, "statsig") in names
    assert len(names) == 7


def test_bounds_are_of_arrival(filled: RouterProcess) -> None:
    assert export(filled, "--env", "shop/production", "--to", "1h").stdout == b""
    assert export(filled, "--env", "shop/production", "--from", "2100-01-01").stdout == b""
    assert (
        len(export(filled, "--env", "shop/production", "--from", "1h", "--to", "2100-01-01").stdout.splitlines()) == 7
    )


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--env", "shop/other"), 1, b"has no events of shop/other: it has those of shop/production"),
        (("--env", "shop"), 1, b"names no environment"),
        (("--env", "shop/production", "--from", "soon"), 1, b"is no time"),
        (("--env", "shop/production", "--format", "parquet"), 2, b"name a file with --out"),
        (("--env", "shop/production", "--data", "/nowhere"), 1, b"holds no data of a router"),
    ],
)
def test_errors_are_one_sentence(filled: RouterProcess, options: tuple[str, ...], status: int, words: bytes) -> None:
    done = export(filled, *options)
    assert done.returncode == status
    assert words in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1700000000001", 1_700_000_000_001),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("1h30m", NOW - 5_400_000),
    ],
)
def test_times(text: str, time: int) -> None:
    assert when(text, NOW) == time
