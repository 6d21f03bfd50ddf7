"""The router beside its peers: one command, one table, one drawing.

    python -m bench.compare [--peers DIR] [--only publish,deliver,...] [--rounds N] [--seconds S] [--quick] [--write]

Measures: publish, deliver, memory, replay, growth, fsync. Without --write the tables are printed and everything is kept
in --out; with it they go to docs/performance.md. Results of measures that are not taken stay as they were in --out.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.compare.bench import Bench, Measure
from bench.compare.document import DOCS, keep, write
from bench.compare.failure import Failure
from bench.compare.footprint import settle
from bench.compare.goals import FULL, PLAIN, WIDE
from bench.compare.machine import machine
from bench.compare.measures.deliver import deliver
from bench.compare.measures.fsync import fsync
from bench.compare.measures.growth import growth
from bench.compare.measures.memory import memory
from bench.compare.measures.publish import publish
from bench.compare.measures.replay import replay
from bench.compare.peer import Peer
from bench.compare.peers.durable_streams import DurableStreams
from bench.compare.peers.mercure import Mercure
from bench.compare.peers.nats import Nats
from bench.compare.peers.nchan import Nchan
from bench.compare.peers.redis import Redis
from bench.compare.peers.router import Router
from bench.compare.programs import Programs
from bench.compare.results import Results
from bench.compare.settings import Settings
from bench.compare.table import page
from bench.compare.tools import Tools
from tests.crash.inject import obstacle

MEASURES: dict[str, Measure] = {
    "publish": publish,
    "deliver": deliver,
    "memory": memory,
    "replay": replay,
    "growth": growth,
    "fsync": fsync,
}
FILLING = 3600.0  # seconds that the long log may take to be written
SETTLING = 600.0  # and to come to rest: insights count all of it


def candidates(tools: Tools) -> list[Peer]:
    """All of them, found or not."""
    routers = [Router(tools), Router(tools, fast=False, label=PLAIN)]
    return [*routers, *(peer(tools) for peer in (Nchan, DurableStreams, Mercure, Redis, Nats))]


def those(peers: Sequence[Peer], measure: str) -> list[Peer]:
    """The candidates of a measure: those that do what it measures."""
    if measure == "fsync":
        return [peer for peer in peers if peer.durable]
    if measure == "publish":
        return list(peers)
    return [peer for peer in peers if peer.protocol == "http"]


def grow(bench: Bench, tools: Tools, after: Callable[[], None]) -> None:
    """The router with a long log, and with many environments, beside an empty one."""
    settings = bench.settings
    with tempfile.TemporaryDirectory(prefix="compare-", dir=settings.folder) as name:
        long = Router(tools, stored=Path(name) / "data", label=FULL)
        begin = time.monotonic()
        try:
            long.start(Path(name) / "filling", [])
            stored = bench.programs.fill(long, settings.stored, 500, FILLING)
            print(f"growth: {stored:,} events stored after {time.monotonic() - begin:.0f} s", flush=True)
            rest = settle(long.pids, SETTLING)
            print(f"growth: {'at rest' if rest else 'not at rest'} after {time.monotonic() - begin:.0f} s", flush=True)
        except Failure as failure:
            raise Failure(f"the long log could not be made: {failure}") from None
        finally:
            long.stop()
        wide = Router(tools, environments=settings.environments, label=WIDE)
        for peer, words in ((long, f"{stored:,} events stored"), (wide, f"{settings.environments} environments")):
            bench.results.candidates[peer.label] = words
        bench.run("growth", growth, [Router(tools), long, wide], after)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = os.environ.get("COMPARE_PEERS")
    parser.add_argument("--peers", type=Path, default=folder and Path(folder), help="where peers were built, also "
                        "COMPARE_PEERS; bench/compare/build.sh builds them")  # fmt: skip
    parser.add_argument("--only", default=",".join(MEASURES), help="measures, by commas")
    parser.add_argument("--candidates", help="names or beginnings of them, by commas; all by default")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each figure")
    parser.add_argument("--readers", help="numbers of readers to deliver to, by commas")
    parser.add_argument("--stored", type=int, help="events of the long log")
    parser.add_argument("--pin", action="store_true", help="servers on core 0, load on core 1")
    parser.add_argument("--quick", action="store_true", help="only whether everything works")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where servers write their data")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "router-compare")
    parser.add_argument("--write", action="store_true", help="into docs/")
    parser.add_argument(
        "--report", action="store_true", help="measure nothing, print what --out has; with --write put it into docs/"
    )
    return parser.parse_args()


def settings_of(given: argparse.Namespace) -> Settings:
    settings = Settings(folder=given.dir, pinned=given.pin)
    if given.quick:
        settings = settings.quick()
    for name in ("rounds", "seconds", "stored"):
        if (value := getattr(given, name)) is not None:
            settings = replace(settings, **{name: value})
    if given.readers:
        settings = replace(settings, readers=tuple(int(count) for count in given.readers.split(",")))
    return settings


def chosen(peers: list[Peer], names: str | None, results: Results) -> list[Peer]:
    """The candidates that were asked for and are on this machine; the others are named."""
    if names:
        wanted = names.lower().split(",")
        peers = [peer for peer in peers if any(peer.label.lower().startswith(name.strip()) for name in wanted)]
        if not peers:
            raise Failure(f"no candidate is called {names}")
    found = []
    for peer in peers:
        if reason := peer.missing():
            print(f"not found: {peer.label}: {reason}", flush=True)
            results.absent[peer.label] = reason
        else:
            found.append(peer)
            durable = "durable before it answers" if peer.durable else "not durable"
            results.absent.pop(peer.label, None)
            results.candidates[peer.label] = f"{peer.about}; {durable}"
    return found


def source(given: argparse.Namespace) -> Path:
    """Where the measures come from that are not taken now. What is only to be reported is what --out has, also where it
    goes to docs/: it would be written over with what is there."""
    folder: Path = DOCS / "performance" if given.write and not given.report else given.out
    return folder / "comparison.json"


def main() -> None:
    given = options()
    measures = given.only.split(",")
    if unknown := [name for name in measures if name not in MEASURES]:
        raise SystemExit(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    settings = settings_of(given)
    data = source(given)
    results = Results.load(data) if data.exists() else Results()

    def save() -> None:
        if given.write:
            write(results)
        keep(results, given.out)

    if not given.report:
        settings.folder.mkdir(parents=True, exist_ok=True)
        results.machine = machine(settings.folder)
        results.settings = {name: value for name, value in asdict(settings).items() if name != "folder"}
        tools = Tools(given.peers)
        peers = chosen(candidates(tools), given.candidates, results)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(settings, Programs(Path(folder), pinned=settings.pinned), results)
            for name in measures:
                results.forget(name)
                if name == "growth":
                    grow(bench, tools, save)
                elif name == "fsync" and (reason := obstacle()):
                    results.failures.append(f"fsync, all, not measured: {reason}")
                    print(f"fsync: not measured: {reason}", flush=True)
                else:
                    bench.run(name, MEASURES[name], those(peers, name), save)
    save()
    print(page(results))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
