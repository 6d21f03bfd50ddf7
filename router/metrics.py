"""What is measured, for Prometheus: read from the `statistics()` of whatever counts, at each scrape and never before.

`docs/metrics.md` lists every name; a test holds the two together. A part that is new adds a source of its own.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from router import __version__
from router.actors.health import Health
from router.actors.registry import Registry
from router.histogram import HistogramStatistics
from router.http.audience import Audience
from router.http.guard import GuardStatistics
from router.http.server import ServerStatistics
from router.http.tally import AccountStatistics, TallyStatistics
from router.names import EnvironmentName
from router.pipeline.committer import CommitterStatistics
from router.pipeline.environments import Environment
from router.pulse import PulseStatistics
from router.store.engine import Engine
from router.trimming import TrimmingStatistics

Source = Callable[[], Iterable[Metric]]

# RocksDB's integer properties (rocksdb/db.h), of the database or summed over its column families.
WHOLE: Final = {
    "background-errors": "Errors of flushes and compactions since the start; any is reason to look.",
    "is-write-stopped": "1 while RocksDB takes no writes.",
    "actual-delayed-write-rate": "Bytes a second that RocksDB slows writers down to; 0 while it does not.",
    "num-running-compactions": "Compactions that run.",
    "num-running-flushes": "Flushes that run.",
    "block-cache-usage": "Bytes in the cache of blocks.",
}
SUMMED: Final = {
    "total-sst-files-size": "Bytes of all table files.",
    "cur-size-all-mem-tables": "Bytes in memory that are not in a table file yet.",
    "estimate-table-readers-mem": "Bytes held for the indexes of table files.",
    "estimate-pending-compaction-bytes": "Bytes that compaction has still to rewrite.",
    "estimate-num-keys": "Keys, estimated.",
}


class Metrics(Collector):
    """All sources together, as one text."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def add(self, source: Source) -> None:
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()

    def text(self) -> bytes:
        """The answer of `GET /metrics`."""
        return generate_latest(self._registry)


def of_process(started: Callable[[], int], readiness: Callable[[], list[str]]) -> Source:
    """started: unix ms."""

    def source() -> Iterator[Metric]:
        yield InfoMetricFamily("router", "The version that runs.", {"version": __version__})
        yield _gauge("router_start_time_seconds", "Unix time of the start.", started() / 1000)
        yield _gauge("router_ready", "1 while events can be made durable.", not readiness())

    return source


def of_posts(tally: Callable[[], TallyStatistics]) -> Source:
    def source() -> Iterator[Metric]:
        found = tally()
        posts = CounterMetricFamily("router_posts", "Posts answered.", labels=("dialect", "outcome"))
        size = CounterMetricFamily("router_post_body_bytes", "Bytes of bodies, as sent.", labels=("dialect",))
        seconds = HistogramMetricFamily(
            "router_post_seconds", "Time from the whole body to the answer.", labels=("dialect",)
        )
        for dialect, statistics in found.posts.items():
            for outcome, number in statistics.outcomes.items():
                posts.add_metric((dialect, outcome), number)
            size.add_metric((dialect,), statistics.bytes)
            _observed(seconds, (dialect,), statistics.seconds)
        yield from (posts, size, seconds)
        yield from _events(found)

    return source


def _events(found: TallyStatistics) -> Iterator[Metric]:
    where = ("environment", "dialect")
    received = CounterMetricFamily("router_events_received", "Events decoded.", labels=(*where, "kind"))
    stored = CounterMetricFamily("router_events_stored", "Events made durable.", labels=where)
    duplicates = CounterMetricFamily("router_events_duplicate", "Events known already, stored once.", labels=where)
    aside = CounterMetricFamily("router_events_set_aside", "Events kept in quarantine.", labels=(*where, "reason"))
    refused = CounterMetricFamily("router_events_refused", "Events whose sender was told to retry.", labels=where)
    flight = GaugeMetricFamily("router_events_in_flight", "Events decoded and not answered for yet.", labels=where)
    lost = GaugeMetricFamily("router_events_unaccounted", "Events that the loss ledger misses; 0.", labels=where)
    for (environment, dialect), account in found.accounts.items():
        labels = (str(environment), dialect)
        for kind, number in account.received.items():
            received.add_metric((*labels, kind), number)
        for reason, number in account.set_aside.items():
            aside.add_metric((*labels, reason), number)
        _account(labels, account, ((stored, "stored"), (duplicates, "duplicates"), (refused, "refused")))
        _account(labels, account, ((flight, "in_flight"), (lost, "unaccounted")))
    yield from (received, stored, duplicates, aside, refused, flight, lost)


def _account(
    labels: tuple[str, ...],
    account: AccountStatistics,
    families: Iterable[tuple[CounterMetricFamily | GaugeMetricFamily, str]],
) -> None:
    for family, attribute in families:
        family.add_metric(labels, getattr(account, attribute))


def of_committer(read: Callable[[], CommitterStatistics]) -> Source:
    def source() -> Iterator[Metric]:
        found = read()
        yield _histogram("router_commit_requests", "Requests in a group that is committed together.", found.sizes)
        yield _histogram("router_commit_seconds", "Time of a group, from its first step to its answers.", found.seconds)
        yield _histogram("router_fsync_seconds", "Time of a sync of the write-ahead log.", found.syncs)
        yield _counter("router_write_stalls", "Write stalls of RocksDB that were waited out.", found.stalls)
        yield _counter("router_commit_refused_requests", "Requests refused on a full disk.", found.refused)

    return source


def of_engine(engine: Engine) -> Source:
    def source() -> Iterator[Metric]:
        found = engine.statistics()
        yield _counter("router_storage_writes", "Batches written.", found.writes)
        yield _counter("router_storage_syncs", "Syncs of the write-ahead log that reached the disk.", found.syncs)
        yield _counter("router_storage_written_bytes", "Bytes of values written.", found.bytes)
        yield _gauge("router_storage_free_bytes", "Bytes free for the data directory.", _free(engine.path))
        for name, meaning in WHOLE.items():
            yield _gauge(_rocksdb(name), meaning, engine.gauge(f"rocksdb.{name}") or 0)
        for name, meaning in SUMMED.items():
            total = sum(engine.gauge(f"rocksdb.{name}", family) or 0 for family in engine.families)
            yield _gauge(_rocksdb(name), meaning, total)

    return source


def of_environments(environments: Mapping[EnvironmentName, Environment], engine: Engine) -> Source:
    def source() -> Iterator[Metric]:
        by = ("environment",)
        head = GaugeMetricFamily("router_log_head", "Offset after the last durable event.", labels=by)
        low = GaugeMetricFamily("router_log_low", "Offset of the first event kept.", labels=by)
        last = GaugeMetricFamily("router_log_last_arrival_seconds", "Unix time of the latest commit.", labels=by)
        size = GaugeMetricFamily("router_log_bytes", "Bytes of the log, on disk and in memory.", labels=by)
        held = GaugeMetricFamily("router_dedup_identities", "Identities in the dedup window.", labels=by)
        out = CounterMetricFamily("router_dedup_crowded_out", "Identities forgotten too early.", labels=by)
        items = GaugeMetricFamily("router_quarantine_items", "Items set aside that can be read.", labels=by)
        kept = GaugeMetricFamily("router_quarantine_bytes", "Bytes of them.", labels=by)
        dropped = CounterMetricFamily("router_quarantine_dropped", "Items dropped for want of room.", labels=by)
        for name, environment in environments.items():
            labels = (str(name),)
            statistics = environment.statistics()
            head.add_metric(labels, statistics.head)
            low.add_metric(labels, statistics.low)
            log = environment.log.statistics()
            last.add_metric(labels, log.last_arrival / 1000)
            size.add_metric(labels, _size(engine, environment.log.row.family))
            if environment.ledger.window is not None:
                window = environment.ledger.window.statistics()
                held.add_metric(labels, window.held)
                out.add_metric(labels, window.crowded_out)
            quarantine = environment.ledger.quarantine.statistics()
            items.add_metric(labels, quarantine.held)
            kept.add_metric(labels, quarantine.bytes)
            dropped.add_metric(labels, quarantine.dropped)
        yield from (head, low, last, size, held, out, items, kept, dropped)

    return source


def of_insights(environments: Mapping[EnvironmentName, Environment]) -> Source:
    def source() -> Iterator[Metric]:
        by = ("environment",)
        lag = GaugeMetricFamily("router_indexer_lag_events", "Durable events not counted in insights yet.", labels=by)
        changes = GaugeMetricFamily("router_insights_changes", "Flag changes held.", labels=by)
        flags = GaugeMetricFamily("router_insights_flags", "Flags that are counted.", labels=by)
        rows = CounterMetricFamily("router_insights_rows", "Rows of counts written.", labels=by)
        unreadable = CounterMetricFamily("router_insights_unreadable", "Events that could not be counted.", labels=by)
        out = CounterMetricFamily("router_insights_crowded_out", "Events of flags beyond the most counted.", labels=by)
        for name, environment in environments.items():
            labels = (str(name),)
            found = environment.insights.statistics()
            lag.add_metric(labels, max(0, environment.watermark.end - found.offset))
            changes.add_metric(labels, found.changes)
            flags.add_metric(labels, found.flags)
            rows.add_metric(labels, found.rows)
            unreadable.add_metric(labels, found.unreadable)
            out.add_metric(labels, found.crowded_out)
        yield from (lag, changes, flags, rows, unreadable, out)

    return source


def of_forwards(environments: Mapping[EnvironmentName, Environment]) -> Source:
    def source() -> Iterator[Metric]:
        by = ("environment", "forward")
        lag = GaugeMetricFamily("router_forward_lag_events", "Durable events that wait to be forwarded.", labels=by)
        last = GaugeMetricFamily("router_forward_last_success_seconds", "Unix time of the latest success.", labels=by)
        requests = CounterMetricFamily("router_forward_requests", "Requests to the target.", labels=by)
        retries = CounterMetricFamily("router_forward_retries", "Those that were tries again.", labels=by)
        size = CounterMetricFamily("router_forward_bytes", "Bytes of bodies sent.", labels=by)
        events = CounterMetricFamily("router_forward_events", "Events by what became of them.", labels=(*by, "outcome"))
        for name, environment in environments.items():
            for forwarding in environment.forwardings:
                found = forwarding.statistics()
                labels = (str(name), found.name)
                lag.add_metric(labels, found.lag)
                last.add_metric(labels, found.delivered_at / 1000)
                requests.add_metric(labels, found.requests)
                retries.add_metric(labels, found.retries)
                size.add_metric(labels, found.bytes)
                for outcome in ("delivered", "skipped", "unsendable", "set_aside", "lost"):
                    events.add_metric((*labels, outcome), getattr(found, outcome))
        yield from (lag, last, requests, retries, size, events)

    return source


def of_streams(audience: Audience, environments: Mapping[EnvironmentName, Environment]) -> Source:
    def source() -> Iterator[Metric]:
        by = ("environment",)
        open_ = GaugeMetricFamily("router_streams_open", "Streams that are open.", labels=by)
        lag = GaugeMetricFamily("router_stream_lag_events", "Events that the slowest open stream is behind.", labels=by)
        opened = CounterMetricFamily("router_streams_opened", "Streams opened.", labels=by)
        delivered = CounterMetricFamily("router_stream_events", "Events handed to streams.", labels=by)
        gaps = CounterMetricFamily("router_stream_gaps", "Gaps announced to readers.", labels=by)
        for environment, found in audience.statistics().items():
            labels = (str(environment),)
            open_.add_metric(labels, found.open)
            lag.add_metric(labels, found.lag)
            opened.add_metric(labels, found.opened)
            delivered.add_metric(labels, found.delivered)
            gaps.add_metric(labels, found.gaps)
        yield from (open_, lag, opened, delivered, gaps)
        behind = GaugeMetricFamily(
            "router_consumer_lag_events", "Events after its acknowledged cursor.", labels=("environment", "consumer")
        )
        for name, known in environments.items():
            for consumer, events in known.consumers.statistics().lag.items():
                behind.add_metric((str(name), consumer), events)
        yield behind
        yield _counter("router_streams_refused", "Streams refused for want of room.", audience.refused)

    return source


def of_http(guard: Callable[[], GuardStatistics], server: Callable[[], ServerStatistics]) -> Source:
    def source() -> Iterator[Metric]:
        requests, connections = guard(), server()
        yield _counter("router_http_requests", "Requests begun.", requests.requests)
        yield _gauge("router_http_open_requests", "Requests not finished, streams included.", requests.open)
        cut = CounterMetricFamily("router_http_cut_requests", "Requests cut at the door.", labels=("reason",))
        for reason in ("http2", "slow", "oversize"):
            cut.add_metric((reason,), getattr(requests, reason))
        yield cut
        yield _gauge("router_http_body_bytes", "Bytes of request bodies held.", requests.budget.used)
        yield _gauge("router_http_body_limit_bytes", "Most that may be held.", requests.budget.limit)
        yield _gauge("router_http_body_waiting", "Requests that wait for room for their body.", requests.budget.waiting)
        yield _gauge("router_http_connections", "Connections that are open.", connections.open)
        yield _counter("router_http_accepted_connections", "Connections accepted.", connections.accepted)
        yield _counter("router_http_aborted_connections", "Connections reset after a drain.", connections.aborted)
        yield _counter("router_http_evicted_connections", "Idle connections closed to make room.", connections.evicted)
        yield _counter("router_http_cut_connections", "Connections ended: they took nothing.", connections.cut)
        admission = connections.admission
        yield _gauge("router_http_addresses", "Addresses that connections come from.", admission.addresses)
        turned = CounterMetricFamily("router_http_turned_away", "Connections turned away.", labels=("reason",))
        turned.add_metric(("address",), admission.crowded)
        turned.add_metric(("all",), admission.full)
        yield turned
        yield _counter("router_http_failed_connections", "Connections ended by a fault of ours.", connections.failed)
        lane = connections.lane
        if lane is not None:
            yield _counter("router_lane_requests", "Posts answered in the fast lane.", lane.requests)
            yield _counter("router_lane_streams", "Streams begun in the fast lane.", lane.streams)
            yield _counter("router_lane_handed_connections", "Connections handed to the plain route.", lane.handed)
            yield _gauge("router_lane_sockets", "Connections and streams held by it.", connections.reactor.watched)
            yield _gauge("router_lane_behind_streams", "Streams that catch up with a task.", lane.hub.behind)

    return source


def of_actors(registry: Registry) -> Source:
    def source() -> Iterator[Metric]:
        by = ("actor",)
        state = GaugeMetricFamily("router_actor_state", "1, with the state it is in.", labels=(*by, "state"))
        age = GaugeMetricFamily("router_actor_progress_age_seconds", "Time since its latest progress.", labels=by)
        restarts = CounterMetricFamily("router_actor_restarts", "Restarts that nobody asked for.", labels=by)
        taken = CounterMetricFamily("router_actor_messages", "Messages taken.", labels=by)
        depth = GaugeMetricFamily("router_mailbox_depth", "Messages queued.", labels=by)
        room = GaugeMetricFamily("router_mailbox_capacity", "Most that can be queued.", labels=by)
        peak = GaugeMetricFamily("router_mailbox_peak", "Most that ever were.", labels=by)
        refused = CounterMetricFamily(
            "router_mailbox_refused", "Messages refused, for want of room or after the end.", labels=by
        )
        expired = CounterMetricFamily("router_mailbox_expired", "Messages skipped: nobody waited any more.", labels=by)
        for health in _everyone(registry):
            labels = (health.name,)
            state.add_metric((health.name, health.state.value), 1)
            age.add_metric(labels, health.progress_age)
            restarts.add_metric(labels, health.restarts)
            mailbox = health.mailbox
            if mailbox is not None:
                taken.add_metric(labels, health.processed)
                depth.add_metric(labels, mailbox.depth)
                room.add_metric(labels, mailbox.capacity)
                peak.add_metric(labels, mailbox.peak)
                refused.add_metric(labels, mailbox.refused)
                expired.add_metric(labels, mailbox.expired)
        yield from (state, age, restarts, taken, depth, room, peak, refused, expired)

    return source


def of_pulse(read: Callable[[], PulseStatistics]) -> Source:
    def source() -> Iterator[Metric]:
        found = read()
        yield _histogram("router_loop_lag_seconds", "How late the loop was, four times a second.", found.lag)
        yield _gauge("router_loop_lag_worst_seconds", "The most since the start.", found.worst)
        yield _counter("router_watchdog_fed", "Times that all was well, and the watchdog was told.", found.fed)
        yield _counter("router_watchdog_withheld", "Times that it was not told, for a reason.", found.withheld)

    return source


def of_trimming(read: Callable[[], TrimmingStatistics]) -> Source:
    def source() -> Iterator[Metric]:
        found = read()
        yield _counter("router_memory_trims", "Times that memory was given back after a peak.", found.rounds)
        yield _counter("router_memory_trimmed_bytes", "What the system got back in them.", found.returned)
        yield _counter("router_memory_trim_seconds", "What the collector held the loop for in them.", found.took)

    return source


def _everyone(registry: Registry) -> Iterator[Health]:
    waiting = [registry.snapshot()]
    while waiting:
        health = waiting.pop()
        yield health
        waiting.extend(reversed(health.children))


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _size(engine: Engine, family: str) -> int:
    names = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")
    return sum(engine.gauge(name, family) or 0 for name in names)


def _rocksdb(name: str) -> str:
    return f"router_rocksdb_{name.replace('-', '_')}"


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value)


def _histogram(name: str, meaning: str, found: HistogramStatistics) -> Metric:
    family = HistogramMetricFamily(name, meaning)
    _observed(family, (), found)
    return family


def _observed(family: HistogramMetricFamily, labels: tuple[str, ...], found: HistogramStatistics) -> None:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, number in zip((*found.bounds, float("inf")), found.counts, strict=True):
        total += number
        buckets.append(("+Inf" if bound == float("inf") else f"{bound:g}", total))
    family.add_metric(labels, buckets, found.total)
