"""Mercure: a hub of server-sent events in Go, with Bolt's log."""

import base64
import hashlib
import hmac
from pathlib import Path
from urllib.parse import quote_plus

from bench.compare.event import events
from bench.compare.peer import Beginning, Peer, Purpose, Resume, request

KEY = "a key of a benchmark, long enough for its hash"


def token() -> str:
    """A publisher's JSON web token."""
    parts = [
        base64.urlsafe_b64encode(part).rstrip(b"=")
        for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"mercure":{"publish":["*"]}}')
    ]
    signed = b".".join(parts)
    signature = base64.urlsafe_b64encode(hmac.digest(KEY.encode(), signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


class Mercure(Peer):
    name = "Mercure"
    about = "with Bolt, no limit to what it stores; one event a publish; replays at most 10,000 events"
    durable = True
    batched = False
    history = 10_000  # its reading of the past gives up after so many entries

    def missing(self) -> str | None:
        return None if self.tools.find("mercure-bench") else "mercure-bench (built from bench/compare/peers/mercure.go)"

    def command(self, folder: Path) -> list[str]:
        return [str(self.tools.find("mercure-bench")), f"127.0.0.1:{self.port}", str(folder / "bolt.db"), KEY]

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        (event,) = events(1)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {token()}"}
        body = b"topic=bench&data=" + quote_plus(event).encode()
        return [request("POST", "/.well-known/mercure", headers, body)]

    def streams(self, beginning: Beginning) -> dict[str, bytes]:
        path = "/.well-known/mercure?topic=bench"
        if beginning == "earliest":
            path += "&lastEventID=earliest"
        return {"server-sent events": request("GET", path, {"Accept": "text/event-stream"})}

    def resume(self) -> Resume:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "@RESUME@"}
        return Resume(request("GET", "/.well-known/mercure?topic=bench", headers), "id: ", 1)
