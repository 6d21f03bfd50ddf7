"""Crashes and stalls any actor of a tree that runs in this process. Nothing of it is known to the tree."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from router.actors.actor import Context
from router.actors.child import Child, Trial
from router.actors.supervisor import Supervisor

STALL_AFTER = 1.0  # seconds, instead of ten, so that a test need not wait


class Sabotage:
    """Every actor's incarnation that runs now, by name."""

    def __init__(self) -> None:
        self._lives: dict[str, Sabotaged] = {}

    def crash(self, name: str) -> None:
        """Its incarnation raises."""
        self._lives[name].crashing.set()

    def freeze(self, name: str) -> None:
        """Its incarnation stands still: what it was doing is dropped, it takes no message and does not return."""
        self._lives[name].freezing.cancel()

    def of(self, child: Child) -> Child:
        """The same child, at our mercy."""

        def make() -> Sabotaged:
            life = self._lives[child.name] = Sabotaged(child)
            return life

        return replace(child, factory=make, stall_after=None if child.stall_after is None else STALL_AFTER)


class Sabotaged:
    """One incarnation, with the actor's own inside."""

    def __init__(self, child: Child) -> None:
        self.crashing = trio.Event()
        self.freezing = trio.CancelScope()
        self._actor = child.factory()

    async def run(self, context: Context[Any]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._crash)
            with self.freezing:
                await self._actor.run(context)
            if self.freezing.cancelled_caught:
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()

    async def _crash(self) -> None:
        await self.crashing.wait()
        raise RuntimeError("chaos")


@contextmanager
def sabotaged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sabotage]:
    """Trees that begin from here on are at our mercy."""
    sabotage = Sabotage()
    admit = Supervisor._admit

    def admitted(self: Supervisor, child: Child, trial: Trial) -> None:
        admit(self, sabotage.of(child), trial)

    with monkeypatch.context() as patch:
        patch.setattr(Supervisor, "_admit", admitted)
        yield sabotage
