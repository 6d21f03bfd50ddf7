"""A whole router below the HTTP floor: store, actors and services, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import trio

from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import Child, Strategy, Supervisor, run_root
from router.clocks import ManualClock, Stamps
from router.credentials import CredentialKind, Keyring, Scope, Token, digest
from router.dialects.dialect import Request
from router.http.services import Services, StreamLimits
from router.names import EnvironmentName
from router.pipeline.committer import Committer, Fragment
from router.pipeline.environments import Environments
from router.pipeline.space import Space
from router.redaction import Redactor
from router.store.engine import Engine
from router.store.meta import Meta
from router.store.threads import Threads

PRODUCTION = EnvironmentName("default", "production")
STAGING = EnvironmentName("default", "staging")
CLIENT_ID = "0123456789abcdef01234567"
KEYRING = Keyring(
    [
        (digest("sdk-1"), CredentialKind.SDK_KEY, PRODUCTION),
        (digest("mob-1"), CredentialKind.MOBILE_KEY, PRODUCTION),
        (digest(CLIENT_ID), CredentialKind.CLIENT_SIDE_ID, PRODUCTION),
        (digest("secret-1"), CredentialKind.STATSIG_KEY, PRODUCTION),
        (digest("sdk-2"), CredentialKind.SDK_KEY, STAGING),
    ],
    [
        (digest("api-all"), Token("all", frozenset(Scope), None)),
        (digest("api-1"), Token("one", frozenset({Scope.STREAM}), frozenset({PRODUCTION}))),
    ],
)


class Below:
    """What is below the HTTP floor. `unready` are reasons for readiness to be refused."""

    def __init__(
        self, engine: Engine, clock: ManualClock, services: Services, environments: Environments, unready: list[str]
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.services = services
        self.environments = environments
        self.unready = unready


@asynccontextmanager
async def below(path: Path, *, streams: StreamLimits | None = None) -> AsyncIterator[Below]:
    """Run everything below the HTTP floor on a store in `path`."""
    engine = Engine.open(path)
    clock = ManualClock()
    registry = Registry(clock)
    mailbox: Mailbox[Fragment] = Mailbox("committer", 64)
    environments = Environments(
        dict.fromkeys((PRODUCTION, STAGING), 3600.0), engine, Meta(engine), mailbox, registry, clock, Random(1)
    )
    unready: list[str] = []
    services = Services(
        clock=clock,
        keyring=lambda: KEYRING,
        environments=environments,
        registry=registry,
        readiness=lambda: unready,
        origins=lambda name: ("https://shop.example",) if name == PRODUCTION else ("*",),
        redact=Redactor(("secret-1",)),
        streams=streams or StreamLimits(),
        random=Random(1),
        started=clock.now(),
    )
    committer = Child(
        "committer",
        lambda: Committer(engine, Threads(), Stamps(clock), environments.ledgers, Space(0)),
        mailbox=mailbox,
    )
    root = Supervisor(
        "root",
        Strategy.ONE_FOR_ONE,
        [committer, Child("environments", environments.supervisor)],
        registry=registry,
        random=Random(1),
    )
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(run_root, root)
        try:
            yield Below(engine, clock, services, environments, unready)
        finally:
            handle.stop()
    engine.close()


def post(path: str, body: bytes, **headers: str) -> Request:
    """A POST; header names with underscores for dashes."""
    plain = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", path, {}, {}, plain, body, 1_700_000_000_000)
