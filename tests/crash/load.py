"""A posting load that remembers every acknowledgement, and a reader that follows through every crash."""

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from random import Random

from router.names import Cursor
from router.sse import Message, Parser


@dataclass(frozen=True, slots=True)
class Batch:
    """A post as its sender sees it. `offsets` is what the router acknowledged, None where nothing was heard."""

    connection: int
    keys: tuple[str, ...]
    offsets: tuple[int, int] | None


@dataclass(slots=True)
class Sender:
    """One keep-alive connection that posts batch after batch, by turns in both dialects."""

    number: int
    port: int
    random: Random
    sequence: int = 0
    batches: list[Batch] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Post until `stop` or until the router is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            while not stop.is_set():
                keys = tuple(f"{self.number}/{self.sequence + n}" for n in range(self.random.randint(1, 20)))
                self.sequence += len(keys)
                offsets = None
                try:
                    offsets = self._post(connection, keys)
                except (OSError, http.client.HTTPException):
                    return
                finally:
                    self.batches.append(Batch(self.number, keys, offsets))

    def _post(self, connection: http.client.HTTPConnection, keys: tuple[str, ...]) -> tuple[int, int] | None:
        if self.random.random() < 0.25:
            events = [{"eventName": key, "user": {"userID": "u"}, "time": 1_700_000_000_000} for key in keys]
            body, path, headers = {"events": events}, "/v1/log_event", {"statsig-api-key": "secret-demo"}
            connection.request("POST", path, json.dumps(body), headers)
        else:
            items = [{"kind": "custom", "key": key, "creationDate": 1, "contextKeys": {"user": "u"}} for key in keys]
            connection.request("POST", "/bulk", json.dumps(items), {"Authorization": "sdk-demo"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            return None
        first, last = answer.headers["Router-Offsets"].split("-")
        return int(first), int(last)


@dataclass(slots=True)
class Poster:
    """Posts one event on a new connection, again and again."""

    number: int
    port: int
    acknowledged: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            key = f"{self.number}/{len(self.acknowledged) + len(self.troubles)}"
            body = json.dumps([{"kind": "custom", "key": key, "creationDate": 1, "contextKeys": {"user": "u"}}])
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            with contextlib.closing(connection):
                try:
                    connection.request("POST", "/bulk", body, {"Authorization": "sdk-demo"})
                    status = connection.getresponse().status
                except (OSError, http.client.HTTPException) as error:
                    self.troubles.append(f"{key}: {error!r}")
                    continue
            if status == 202:
                self.acknowledged.append(key)
            else:
                self.troubles.append(f"{key}: {status}")


class Reader:
    """Follows the stream in a thread and reconnects with its last cursor whenever it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._parser = Parser()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.messages: list[Message] = []
        self.connections = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self, end: int, timeout: float = 30) -> None:
        """Stop once the event before offset `end` has been seen."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit and self._next() < end:
            time.sleep(0.02)
        self._stop.set()
        self._thread.join(20)

    def _next(self) -> int:
        return Cursor.parse(self._parser.last_id).offset + 1 if self._parser.last_id else 0

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)

    def _follow(self) -> None:
        self._parser = Parser(self._parser.last_id)
        headers = {"Authorization": "api_key api-demo", "Accept": "text/event-stream"}
        if self._parser.last_id:
            headers["Last-Event-ID"] = self._parser.last_id
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        with contextlib.closing(connection):
            connection.request("GET", "/events?from=earliest", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                return
            self.connections += 1
            while not self._stop.is_set():
                try:
                    data = answer.read1(65536)
                except TimeoutError:
                    continue
                if not data:
                    return
                self.messages.extend(self._parser.feed(data))


def key_of(message: Message) -> str:
    """The name that its sender gave the event."""
    event = json.loads(message.data)
    return str(event.get("key") or event["eventName"])


def read_all(port: int, end: int) -> list[Message]:
    """The whole log, from the earliest event to the one before offset `end`."""
    reader = Reader(port)
    reader.start()
    reader.stop(end, timeout=60)
    return reader.messages
