"""Where a forward stands, kept and restored."""

import pytest

from router.config.model import Environment
from router.names import EnvironmentName
from router.pipeline.forwarding import Filter, Forwarding, State
from router.pipeline.outgoing_http import ToHttp
from router.pipeline.outgoing_statsig import ToStatsig
from router.pipeline.pacing import Pace
from router.ranges import Ranges
from router.store.cursors import Cursors
from tests.pipeline.conftest import Bench
from tests.pipeline.entries import entry
from tests.pipeline.test_forwarder import fill

SHOP = EnvironmentName("shop", "production")


def forwarding(bench: Bench, chosen: Filter = Filter()) -> Forwarding:  # noqa: B008 - frozen
    return Forwarding(
        "f", "http", ToHttp("https://sink.example", None, SHOP), chosen, Pace(),
        bench.engine, bench.log, bench.ledger.settled, Cursors(bench.engine, 1, "forward"),
    )  # fmt: skip


def test_what_was_done_out_of_order_is_known_after_a_restart(bench: Bench) -> None:
    fill(bench, 12)
    before = forwarding(bench)
    before.restore()
    before.done = Ranges.of([(0, 3), (5, 9)])
    before.save(1)
    bench.watermark.advance(12)
    after = forwarding(bench)
    after.restore()
    assert after.offset == 3
    assert list(after.pending()) == [(3, 5), (9, 12)]
    assert after.statistics().lag == 5
    assert after.statistics().state is State.IDLE


def test_a_restored_log_goes_on_where_its_backup_stood(bench: Bench) -> None:
    fill(bench, 2)
    before = forwarding(bench)
    before.done = Ranges.of([(0, 1), (5, 9)])
    before.save(1)
    bench.log.row = type(bench.log.row)(bench.log.row.number, "zzzzzzzz", 0)
    after = forwarding(bench)
    after.restore()
    assert after.done == Ranges.of([(0, 1)]), "and never beyond its end"


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (Filter(), True),
        (Filter(kinds=frozenset({"custom"})), True),
        (Filter(kinds=frozenset({"summary"})), False),
        (Filter(dialects=frozenset({"launchdarkly"})), True),
        (Filter(dialects=frozenset({"statsig"})), False),
    ],
)
def test_filters(bench: Bench, chosen: Filter, wanted: bool) -> None:
    stored = entry(1)
    assert forwarding(bench, chosen).wanted(stored, stored.events[0]) is wanted


def test_a_vendor_gets_its_own_events_only(bench: Bench) -> None:
    made = forwarding(bench)
    made.outgoing = ToStatsig("https://events.example", None, Environment(name=SHOP))
    stored = entry(1)
    assert not made.wanted(stored, stored.events[0])
