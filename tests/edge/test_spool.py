"""An edge that cannot deliver: a backlog, a full spool, a full disk. As configured, and told in health."""

import contextlib
import json
import random
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.routers import events, forwards, post, post_custom, running, to_router, until
from tests.process import RouterProcess

SPOOL = 'retention_bytes = "2MiB"\nwhen_full = "{}"\n'
SWEEP = 'sweep_interval = "100ms"\n'


def health(process: RouterProcess) -> dict[str, object]:
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        (environment,) = json.load(answer)["environments"]
        assert isinstance(environment, dict)
        return environment


def large(number: int) -> bytes:
    """Some 100 KB of events that hardly compress."""
    common = {"kind": "custom", "creationDate": 1_700_000_000_000, "contextKeys": {"user": "u"}}
    noise = random.Random(number)
    return json.dumps(
        [{**common, "key": f"{number}/{n}", "data": {"text": noise.randbytes(450).hex()}} for n in range(100)]
    ).encode()


def post_large(port: int, number: int) -> int:
    headers = {"Authorization": "sdk-demo", "Content-Type": "application/json"}
    return post(port, "/bulk", large(number), headers).status


def keys(process: RouterProcess, count: int) -> list[str]:
    return [json.loads(message.data)["key"] for message in events(process.port, count, timeout=60)]


def caught_up(edge: RouterProcess) -> bool:
    (stands,) = forwards(edge.port).values()
    return stands["lag"] == 0


def test_a_spool_that_refuses_keeps_what_waits(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub:
        hub.stop()
        spool = SPOOL.format("refuse")
        with running(tmp_path, "edge", to_router(hub.url), storage=SWEEP, environment=spool) as edge:
            taken = [number for number in range(60) if post_large(edge.port, number) == 202]
            assert taken == list(range(len(taken)))
            assert 15 <= len(taken) < 60, "full at about 2 MiB"
            fault = str(health(edge)["fault"])
            assert "bytes wait to be forwarded" in fault
            assert "when_full" in fault
            hub.start()
            until(lambda: caught_up(edge), "the edge has delivered all")
            assert health(edge)["fault"] is None
            assert post_large(edge.port, 99) == 202
            assert keys(hub, len(taken) * 100 + 100) == [f"{a}/{n}" for a in (*taken, 99) for n in range(100)]


def test_a_spool_that_trims_takes_everything_and_tells_what_is_lost(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub:
        hub.stop()
        spool = SPOOL.format("trim")
        with running(tmp_path, "edge", to_router(hub.url), storage=SWEEP, environment=spool) as edge:
            assert [post_large(edge.port, number) for number in range(60)] == [202] * 60
            until(lambda: int(str(health(edge)["low"])) > 2000, "the oldest are deleted")
            hub.start()
            until(lambda: caught_up(edge), "the edge has delivered what is left")
            (stands,) = forwards(edge.port).values()
            lost, delivered = int(str(stands["lost"])), int(str(stands["delivered"]))
            assert lost >= 2000
            assert lost + delivered == 6000
            places = [int(batch) * 100 + int(n) for batch, _, n in (key.partition("/") for key in keys(hub, delivered))]
            assert places == sorted(set(places)), "what is left is in order; what was on the way may be older"
            assert places[-1] == 5999


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_backlog_goes_in_the_order_chosen_and_all_of_it(tmp_path: Path, order: str) -> None:
    with running(tmp_path, "hub") as hub:
        hub.stop()
        with running(tmp_path, "edge", to_router(hub.url, f'order = "{order}"')) as edge:
            sent = [[f"{batch}/{n}" for n in range(100)] for batch in range(60)]
            assert all(post_custom(edge.port, batch) for batch in sent)
            (stands,) = forwards(edge.port).values()
            assert stands["lag"] == 6000
            assert stands["state"] in ("retrying", "delivering")
            edge.kill()
            hub.start()
            edge.start()
            until(lambda: caught_up(edge), "the edge has delivered all")
            assert post_custom(edge.port, ["later"])
            found = keys(hub, 6001)
            flat = [key for batch in sent for key in batch]
            assert found[-1] == "later"
            if order == "oldest":
                assert found[:-1] == flat
            else:
                assert sorted(found[:-1]) == sorted(flat)
                assert found.index("59/99") < found.index("0/0")


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "edge", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_an_edge_with_a_full_disk_delivers_what_it_has(tmp_path: Path) -> None:
    """What is refused then is refused with 503; what was taken is delivered, and the edge goes on by itself."""
    with running(tmp_path, "hub") as hub, small_disk(tmp_path / "edge"):
        hub.stop()
        with running(tmp_path, "edge", to_router(hub.url)) as edge:
            assert post_large(edge.port, 0) == 202
            filler = tmp_path / "edge" / "filler"
            with filler.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            statuses = [post_large(edge.port, number) for number in range(1, 40)]
            assert 503 in statuses
            taken = [0, *(number for number, status in enumerate(statuses, 1) if status == 202)]
            hub.start()
            until(lambda: caught_up(edge), "what was taken is delivered, cursor or not")
            assert keys(hub, len(taken) * 100) == [f"{a}/{n}" for a in taken for n in range(100)]
            filler.unlink()
            until(lambda: post_large(edge.port, 100) == 202, "there is room again")
            assert keys(hub, len(taken) * 100 + 100)[-1] == "100/99"
