"""A changed file is told once, when it has come to rest; in a real router it does what SIGHUP does."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from router.actors.actor import Context
from router.config.files import Stamp, stamps
from router.config_watch import ConfigWatch
from router.store.threads import Threads
from tests.process import router
from tests.test_reload import ONE, TOKEN, WAIT, Configured

FAST = 0.02
LOOKING = f'[server]\nbind = ["127.0.0.1:0"]\nwatch_interval = "{round(FAST * 1000)}ms"\n'
ENOUGH = 20 * FAST  # seconds for several looks


class Watched:
    """A file that is looked at; `asked` counts, and each is followed by a reading."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.interval = FAST
        self.asked = 0
        self.reads = True
        self.known: dict[Path, Stamp | None] = {}
        self.read()

    def read(self) -> None:
        self.known = stamps({self.file: None})

    def ask(self) -> None:
        self.asked += 1
        if self.reads:
            self.read()


@asynccontextmanager
async def watched(path: Path) -> AsyncIterator[Watched]:
    file = path / "file"
    file.write_text("one")
    found = Watched(file)
    context: Context[None] = Context("config")
    watch = ConfigWatch(lambda: found.known, lambda: found.interval, found.ask, Threads())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run, context)
        yield found
        context.stopping.set()


async def until(what: Callable[[], bool]) -> None:
    with trio.fail_after(WAIT):
        while not what():
            await trio.sleep(FAST / 4)


async def test_nothing_is_told_while_nothing_changes(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        await trio.sleep(ENOUGH)
        assert found.asked == 0


async def test_each_change_is_told_once_also_a_file_that_goes(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        found.file.write_text("another")
        await until(lambda: found.asked == 1)
        await trio.sleep(ENOUGH)
        assert found.asked == 1
        found.file.unlink()
        await until(lambda: found.asked == 2)
        found.file.write_text("back")
        await until(lambda: found.asked == 3)


async def test_it_is_told_once_also_where_nothing_comes_of_it(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        found.reads = False
        found.file.write_text("another")
        await until(lambda: found.asked == 1)
        await trio.sleep(ENOUGH)
        assert found.asked == 1


async def test_a_file_that_is_being_written_is_let_be(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        for size in range(100):
            found.file.write_text("x" * (size + 10))
            await trio.sleep(FAST / 4)
            if found.asked:
                break
        assert size > 3 or not found.asked
        await until(lambda: found.asked >= 1)


async def test_it_looks_when_it_is_turned_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.config_watch.OFF", FAST)
    async with watched(tmp_path) as found:
        found.interval = 0
        await trio.sleep(2 * FAST)
        found.file.write_text("another")
        await trio.sleep(ENOUGH)
        assert found.asked == 0
        found.interval = FAST
        await until(lambda: found.asked == 1)


def test_a_changed_file_puts_a_new_configuration_in_force(tmp_path: Path) -> None:
    file, key = tmp_path / "router.toml", tmp_path / "one.key"
    key.write_text("sdk-one-1\n")
    file.write_text(LOOKING + ONE.replace('"sdk-one-1"', '{ file = "one.key" }') + TOKEN)
    with router(tmp_path / "data", file, environ={"NOTIFY_SOCKET": ""}) as process:
        running = Configured(process, file)

        def logged(text: str, times: int) -> None:
            deadline = time.monotonic() + WAIT
            while process.errors.read_text().count(text) < times:
                assert time.monotonic() < deadline, process.errors.read_text()
                time.sleep(0.01)

        with running.opened:
            kept = running.connect()
            assert running.post("sdk-one-1", connection=kept) == 202
            before = kept.sock
            key.write_text("sdk-one-2\n")
            logged("the new configuration is in force", 1)
            assert running.post("sdk-one-1", connection=kept) == 401
            assert running.post("sdk-one-2", connection=kept) == 202

            good = file.read_text()
            file.write_text(good + '[log]\nrequests = "much"\nlevel = "loud"\n')
            logged("the old one stays in force", 1)
            time.sleep(ENOUGH)
            found = process.errors.read_text()
            assert found.count("the old one stays in force") == 1, "it is told once for each change"
            assert "log.requests" in found
            assert "log.level" in found
            assert running.post("sdk-one-2", connection=kept) == 202

            file.write_text(good)
            logged("the new configuration is in force", 2)
            assert kept.sock is before, "the connection was dropped"
