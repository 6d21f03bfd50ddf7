"""Every actor of the tree is crashed, then stalled, under load: the tree heals, health tells what happened, and nothing
that was acknowledged is lost."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from router import config, daemon
from router.systemd import Notifier
from tests.chaos.sabotage import Sabotage, sabotaged
from tests.crash.load import Poster, Reader, key_of

POSTERS = 2
HEALING = 40.0  # seconds that a tree may take to run again, and to acknowledge posts again
BACK = 10  # posts acknowledged after a strike that show that it is back


def ask(url: str, method: str = "GET") -> Any:  # noqa: ANN401 - JSON
    """The answer's JSON; None where nobody answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)
    except (OSError, ValueError):
        return None


def everyone(actor: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield actor
    for child in actor["children"]:
        yield from everyone(child)


def everything(url: str) -> list[str]:
    """The keys of all events in the log."""
    head = ask(f"{url}/health")["environments"][0]["head"]
    reader = Reader(int(url.rsplit(":", 1)[1]))
    reader.start()
    reader.stop(head)
    return [key_of(message) for message in reader.messages if message.event == "message"]


class World:
    """A router in this process, and those who post to it."""

    def __init__(self, url: str, sabotage: Sabotage, posters: list[Poster]) -> None:
        self.url = url
        self.sabotage = sabotage
        self.posters = posters

    @property
    def acknowledged(self) -> int:
        return sum(len(poster.acknowledged) for poster in self.posters)

    async def ask(self, path: str, method: str = "GET") -> Any:  # noqa: ANN401 - JSON
        return await trio.to_thread.run_sync(ask, self.url + path, method)

    async def actors(self) -> dict[str, dict[str, Any]]:
        root = await self.ask("/health/actors")
        return {} if root is None else {actor["name"]: actor for actor in everyone(root)}

    async def healed(self, what: str) -> None:
        """Wait until every actor runs and posts are acknowledged again."""
        before = self.acknowledged
        with trio.move_on_after(HEALING):
            while True:
                states = {actor["state"] for actor in (await self.actors()).values()}
                if states == {"running"} and self.acknowledged >= before + BACK:
                    return
                await trio.sleep(0.05)
        raise AssertionError(f"not healed after {what}: {await self.ask('/health/actors')}")

    async def seen(self, name: str, status: str, before: int) -> None:
        """Wait until health tells of more than `before` incarnations of `name` that ended as `status`."""
        with trio.move_on_after(HEALING):
            while True:
                actor = await self.ask(f"/health/actors/{name}")
                if actor and sum(ending["status"] == status for ending in actor.get("recent", ())) > before:
                    return
                await trio.sleep(0.05)
        raise AssertionError(f"health does not tell that {name} {status}")

    async def strike(self, name: str, *, freeze: bool) -> None:
        actor = await self.ask(f"/health/actors/{name}")
        status = "stalled" if freeze else "crashed"
        before = sum(ending["status"] == status for ending in actor["recent"])
        if not freeze:
            self.sabotage.crash(name)
            await self.seen(name, status, before)
        else:
            self.sabotage.freeze(name)
            if actor["mailbox"] is not None:
                await self.seen(name, status, before)
            else:
                await self._relieve(name)
        await self.healed(f"{name} {status}")

    async def _relieve(self, name: str) -> None:
        """Without messages nobody can tell that it stands still: an operator does, where the tree does not need it."""
        if name == "http":  # through which an operator would ask
            self.sabotage.crash(name)
            return
        found = await self.ask(f"/health/actors/{name}/restart", "POST")
        # Whoever restarts what keeps the HTTP server itself does not hear the end of it.
        assert found is None or found.get("state") == "running", found


async def test_every_actor_crashes_and_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    urls: list[str] = []
    up = trio.Event()

    def announce(running: daemon.Running) -> None:
        urls.extend(running.addresses)
        up.set()

    with sabotaged(monkeypatch) as sabotage:
        async with trio.open_nursery() as nursery:
            settings = config.demo(bind=("127.0.0.1:0",), data=tmp_path / "data")
            nursery.start_soon(lambda: daemon.run(settings, announce=announce, notifier=Notifier({})))
            await up.wait()
            port = int(urls[0].rsplit(":", 1)[1])
            posters = [Poster(number, port) for number in range(POSTERS)]
            threads = [threading.Thread(target=poster.run, args=(stop,)) for poster in posters]
            for thread in threads:
                thread.start()
            try:
                world = World(urls[0], sabotage, posters)
                await world.healed("the start")
                names = [name for name in await world.actors() if name != "root"]
                assert {"core", "committer", "default/production/partition", "http", "notifier"} <= set(names)
                for name in names:
                    await world.strike(name, freeze=False)
                for name in names:
                    await world.strike(name, freeze=True)
            finally:
                stop.set()
                for thread in threads:
                    await trio.to_thread.run_sync(thread.join, 40)
            log = await trio.to_thread.run_sync(everything, urls[0])
            nursery.cancel_scope.cancel()
    acknowledged = [key for poster in posters for key in poster.acknowledged]
    troubled = {line.partition(":")[0] for poster in posters for line in poster.troubles}
    assert len(acknowledged) > BACK * 2 * len(names)
    assert set(acknowledged) <= set(log), "nothing acknowledged is lost"
    assert set(log) - set(acknowledged) <= troubled, "what else is there was posted, and its answer was lost"
    assert len(log) == len(set(log)), "nothing is there twice"
