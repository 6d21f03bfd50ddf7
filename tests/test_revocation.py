"""What a reload takes from a token ends the streams that it has open, on either route, and nobody else's."""

import http.client
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.process import router
from tests.test_reload import ONE, SERVER, WAIT, Configured

TWO = ONE.replace("one", "two")
OTHER = '[[token]]\nname = "other"\ntoken = "api-other"\nscopes = ["stream"]\nenvironments = ["p/one"]\n'
SOON = 1.5  # seconds; far less than a heartbeat, at which a stream would notice anyway


def token(
    secret: str = "api-reader", scopes: str = '"stream", "insights"', environments: str = '"p/one", "p/two"'
) -> str:
    return f'[[token]]\nname = "reader"\ntoken = "{secret}"\nscopes = [{scopes}]\nenvironments = [{environments}]\n'


@pytest.fixture(params=["true", "false"], ids=["fast lane", "plain route"])
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Configured]:
    file = tmp_path / "router.toml"
    file.write_text(f"{SERVER}fast_lane = {request.param}\n{ONE}{TWO}{token()}{OTHER}")
    with router(tmp_path / "data", file, environ={"NOTIFY_SOCKET": ""}) as process:
        found = Configured(process, file)
        with found.opened:
            yield found


class Reader:
    """An open stream; `ended` waits for its end."""

    def __init__(self, running: Configured, query: str, secret: str = "api-reader", accept: str = "*/*") -> None:
        connection = running.opened.enter_context(
            closing(http.client.HTTPConnection("127.0.0.1", running.process.port, timeout=SOON))
        )
        headers = {"Authorization": f"Bearer {secret}", "Accept": accept}
        connection.request("GET", f"/events?from=earliest&project=p&{query}", headers=headers)
        self.answer = running.opened.enter_context(connection.getresponse())
        assert self.answer.status == 200
        assert self.answer.read1()

    def rest(self) -> bytes:
        """All that still comes, to the end; TimeoutError when nothing comes and it does not end either."""
        return self.answer.read()

    def goes_on(self, running: Configured) -> bool:
        running.post("sdk-one-1", b"for the others")
        deadline, data = time.monotonic() + WAIT, b""
        while b"for the others" not in data and time.monotonic() < deadline:
            data += self.answer.read1()
        return b"for the others" in data


def configuration(left: str) -> str:
    return f"{ONE}{TWO}{left}{OTHER}"


GONE = ""
ROTATED = token("api-reader-2")


@pytest.mark.parametrize(
    "left",
    [GONE, ROTATED, token(scopes='"insights"'), token(environments='"p/two"')],
    ids=["token gone", "another secret", "scope gone", "environment gone"],
)
def test_a_stream_ends_with_its_token(running: Configured, left: str) -> None:
    mine = [
        Reader(running, "environment=one"),
        Reader(running, "environment=one&consumer=warehouse"),
        Reader(running, "environment=one", accept="application/x-ndjson"),
    ]
    others = Reader(running, "environment=one", "api-other")
    running.reload(configuration(left))

    assert [b"retry:" in reader.rest() for reader in mine] == [True, True, False]
    assert others.goes_on(running)


def test_a_stream_that_keeps_its_rights_goes_on(running: Configured) -> None:
    """Whatever else changes, also of its own token."""
    mine = Reader(running, "environment=one")
    other = Reader(running, "environment=two")
    running.reload(configuration(token(scopes='"stream"', environments='"p/one"')))

    assert b"retry:" in other.rest()
    assert mine.goes_on(running)


def test_a_refused_configuration_ends_none(running: Configured) -> None:
    mine = Reader(running, "environment=one")
    running.reload("no = TOML = at all", "the old one stays in force")

    assert mine.goes_on(running)


def test_who_was_ended_may_not_come_back(running: Configured) -> None:
    mine = Reader(running, "environment=one")
    running.reload(configuration(GONE))
    mine.rest()
    connection = running.connect()
    connection.request("GET", "/events?project=p&environment=one", headers={"Authorization": "Bearer api-reader"})

    assert connection.getresponse().status == 401
