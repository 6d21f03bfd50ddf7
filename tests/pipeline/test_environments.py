"""Every configured environment gets a log of its own and an actor that serves it."""

from random import Random

import pytest

from router.actors.supervisor import Child
from router.names import EnvironmentName
from router.pipeline.environments import Environments
from router.pipeline.ledger import Append, Committed
from router.store.meta import Meta
from tests.pipeline.conftest import NAME, Bench, body

STAGING = EnvironmentName("default", "staging")


async def test_each_environment_has_its_own_offsets_and_epoch(bench: Bench) -> None:
    environments = Environments(
        dict.fromkeys((NAME, STAGING), 60.0),
        bench.engine,
        Meta(bench.engine),
        bench.mailbox,
        bench.registry,
        bench.clock,
        Random(1),
    )
    bench.committed = environments.ledgers
    async with bench.running(Child("environments", environments.supervisor)):
        for name in (NAME, STAGING):
            assert await environments[name].mailbox.ask(Append(body(2), 2), timeout=5) == Committed(0, 1)
        tree = bench.registry.snapshot()
    assert [child.name for child in tree.children[1].children] == [str(NAME), str(STAGING)]
    assert [environment.watermark.end for environment in environments.values()] == [2, 2]
    assert len({environment.statistics().epoch for environment in environments.values()}) == 2
    assert list(environments) == [NAME, STAGING]
    with pytest.raises(KeyError):
        environments[EnvironmentName("no", "such")]


async def test_ending_the_streams_wakes_every_reader(bench: Bench) -> None:
    environments = Environments(
        {NAME: 60.0}, bench.engine, Meta(bench.engine), bench.mailbox, bench.registry, bench.clock, Random(1)
    )
    environments.end_streams()

    assert not await environments[NAME].watermark.wait_beyond(0)


async def test_how_long_insights_are_kept_can_change(bench: Bench) -> None:
    environments = Environments(
        {NAME: 60.0}, bench.engine, Meta(bench.engine), bench.mailbox, bench.registry, bench.clock, Random(1)
    )
    assert environments[NAME].insights.age == 90 * 86_400
    for age in (5.0, None):
        environments.keep_insights({NAME: age, STAGING: 7.0})
        assert environments[NAME].insights.age == age
