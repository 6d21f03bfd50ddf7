"""From configuration to forwards: one of each target, with its filters and caps, under one supervisor."""

from random import Random

from router.actors.health import State
from router.actors.supervisor import Child, GiveUp
from router.config import SecretSource, load
from router.names import EnvironmentName
from router.pipeline.environments import Environments
from router.pipeline.forwards import Forwards
from router.pipeline.outgoing_http import ToHttp
from router.pipeline.outgoing_launchdarkly import ToLaunchDarkly
from router.pipeline.outgoing_router import ToRouter
from router.pipeline.outgoing_statsig import ToStatsig
from router.store.meta import Meta
from tests.pipeline.conftest import Bench

TEXT = """
[[environment]]
project = "default"
key = "production"
[[environment.forward]]
to = "router"
url = "https://hub.example"
token = "api-hub"
kinds = ["exposure", "summary"]
order = "newest"
[[environment.forward]]
to = "launchdarkly"
url = "https://events.launchdarkly.com"
[[environment.forward]]
to = "statsig"
url = "https://events.statsigapi.net/v1"
begin = "earliest"
[[environment.forward]]
to = "http"
name = "sink"
url = "https://sink.example"
dialects = ["statsig"]
max_bandwidth = "1KiB"
max_requests = 60
windows = ["22:00-06:00"]
[[environment]]
project = "default"
key = "staging"
"""


def test_each_block_is_a_forward(bench: Bench) -> None:
    config = load(TEXT, source="test", secrets=SecretSource())
    forwards = Forwards(config, bench.engine, bench.registry, bench.clock, Random(1))
    environments = Environments(
        {environment.name: 60.0 for environment in config.environments},
        bench.engine,
        Meta(bench.engine),
        bench.mailbox,
        bench.registry,
        bench.clock,
        Random(1),
        prepare=forwards.prepare,
        followers=forwards.children,
    )
    production = environments[EnvironmentName("default", "production")]
    made = production.forwardings
    assert [type(each.outgoing) for each in made] == [ToRouter, ToLaunchDarkly, ToStatsig, ToHttp]
    assert [each.name for each in made][::3] == ["router https://hub.example", "sink"]
    assert [each.filter.latest for each in made] == [False, True, False, False]
    assert made[0].filter.kinds == frozenset({"exposure", "summary"})
    assert made[0].filter.newest_first
    assert made[3].filter.dialects == frozenset({"statsig"})
    made[3].pace.begin(0)
    assert 0 < made[3].pace.wait(0) <= 1
    assert made[3].pace.closed(12 * 3_600_000) == 10 * 3600
    (child,) = forwards.children(production)
    assert child.give_up is GiveUp.PARK, "events still come in when all forwards have failed"
    assert not environments[EnvironmentName("default", "staging")].forwardings


async def test_a_reload_changes_only_what_is_different(bench: Bench) -> None:
    """By name: what stays is the same object with its place, what is different is another with the same cursor."""
    text = TEXT.replace("https://", "http://127.0.0.1:1/")
    config = load(text, source="test", secrets=SecretSource())
    forwards = Forwards(config, bench.engine, bench.registry, bench.clock, Random(1))
    environments = Environments(
        {environment.name: 60.0 for environment in config.environments},
        bench.engine,
        Meta(bench.engine),
        bench.mailbox,
        bench.registry,
        bench.clock,
        Random(1),
        prepare=forwards.prepare,
        followers=forwards.children,
    )
    bench.committed = environments.ledgers
    production = environments[EnvironmentName("default", "production")]
    before = {each.name: each for each in production.forwardings}

    def running() -> set[str]:
        prefix = "default/production/forwards/"
        tree = bench.registry.find("default/production/forwards").children
        return {child.name.removeprefix(prefix) for child in tree if child.state is State.RUNNING}

    async with bench.running(Child("environments", environments.supervisor)):
        assert running() == set(before)
        changed = text.replace("1KiB", "2KiB").replace('to = "statsig"', 'to = "http"')
        await forwards.follow(load(changed, source="test", secrets=SecretSource()))
        after = {each.name: each for each in production.forwardings}
        assert running() == set(after)
        assert set(before) - set(after) == {name for name in before if name.startswith("statsig")}
        assert {name for name in after if after[name] is before.get(name)} == {
            name for name in before if name.startswith(("router", "launchdarkly"))
        }
        without = "\n".join(text.split("[[environment.forward]]")[0:1])
        await forwards.follow(load(without, source="test", secrets=SecretSource()))
        assert not production.forwardings
        assert not running()
