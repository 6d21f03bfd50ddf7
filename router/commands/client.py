"""Talks to a running router, for the commands that ask one."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT = 600.0  # seconds; a checkpoint flushes what is in memory first


class Unanswered(Exception):
    """The router could not be asked, or refused; the text says why and what to do."""


class Client:
    """url: of the router. token: with scope `admin`; not needed on the router's own machine."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise Unanswered(f"{url} is no address of a router: give --url as http://HOST:PORT")
        self._url = url.rstrip("/")
        self._token = token

    def call(self, method: str, path: str, *, also: tuple[int, ...] = ()) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON, None where it has no body. also: statuses of errors that are answers here.

        Raises:
            Unanswered: no answer, or an error.
        """
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        asked = urllib.request.Request(self._url + path, method=method, headers=headers)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 - checked above
                body = answer.read()
        except urllib.error.HTTPError as error:
            if error.code in also:
                return json.loads(error.read())
            raise Unanswered(f"{self._url}{path} answered {error.code}: {_message(error.read())}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise Unanswered(f"no router answers at {self._url} ({reason}): start it, or give its --url") from error
        return json.loads(body) if body else None


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200] or "no reason given"
