"""A checkpoint holds what was acknowledged, and is gone when it is discarded."""

from router.pipeline.checkpoints import Checkpoints
from router.store import fsck
from router.store.threads import Threads
from tests.pipeline.conftest import Bench


async def test_a_checkpoint_holds_what_was_acknowledged(bench: Bench) -> None:
    checkpoints = Checkpoints(bench.engine, Threads())
    async with bench.running():
        await bench.mailbox.ask(bench.fragment(3), timeout=5)
        name, path, size = await checkpoints.make()
        await bench.mailbox.ask(bench.fragment(2), timeout=5)
        [checked] = fsck.check(path)

        assert isinstance(checked, fsck.Checked)
        assert checked.events == 3
        assert size == sum(found.stat().st_size for found in path.iterdir())
        assert (checkpoints.statistics().made, checkpoints.statistics().held) == (1, 1)
        assert await checkpoints.discard(name)
        assert not path.exists()
        assert not await checkpoints.discard(name)
        assert checkpoints.statistics().held == 0
