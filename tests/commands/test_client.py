"""What the commands say when a router cannot be asked."""

import pytest

from router.commands.client import Client, Unanswered
from tests.process import router


def test_an_answer_is_its_json_and_a_refusal_its_message() -> None:
    with router() as process:
        assert Client(process.url).call("GET", "/health")["ready"] is True
        with pytest.raises(Unanswered, match=r"/quarantine\?limit=0 answered 400: limit is 0"):
            Client(process.url, "api-demo").call("GET", "/quarantine?limit=0")
        with pytest.raises(Unanswered, match="answered 401"):
            Client(process.url, "api-wrong").call("GET", "/quarantine")


def test_nobody_there_is_said_with_the_way_out() -> None:
    with pytest.raises(Unanswered, match=r"no router answers at http://127.0.0.1:1 .*--url"):
        Client("http://127.0.0.1:1").call("GET", "/health")


def test_only_http_is_asked() -> None:
    with pytest.raises(Unanswered, match="http://HOST:PORT"):
        Client("file:///etc/passwd")
