"""durable-streams: a log over HTTP in Rust, the closest in what it does."""

from pathlib import Path

from bench.compare.event import array
from bench.compare.failure import Failure
from bench.compare.peer import Beginning, Peer, Purpose, Resume, request

JSON = {"Content-Type": "application/json"}


class DurableStreams(Peer):
    name = "durable-streams"
    about = "its server in Rust, durability wal, one stream in JSON; it ends a stream after 60 s"
    durable = True

    def missing(self) -> str | None:
        return None if self.tools.find("durable-streams-server") else "durable-streams-server"

    def command(self, folder: Path) -> list[str]:
        return [
            str(self.tools.find("durable-streams-server")),
            *("--port", str(self.port), "--data-dir", str(folder / "data"), "--durability", "wal"),
        ]

    def prepare(self) -> None:
        answer = self.ask(request("PUT", "/bench", JSON))
        if b" 201 " not in answer[:20]:
            raise Failure(f"durable-streams made no stream: {answer[:100].decode(errors='replace')}")

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        return [request("POST", "/bench", JSON, array(batch))]

    def streams(self, beginning: Beginning) -> dict[str, bytes]:
        offset = "now" if beginning == "latest" else "-1"
        path = f"/bench?offset={offset}&live=sse"
        return {"server-sent events": request("GET", path, {"Accept": "text/event-stream"})}

    def resume(self) -> Resume:
        path = "/bench?offset=@RESUME@&live=sse"
        return Resume(request("GET", path, {"Accept": "text/event-stream"}), '"streamNextOffset":"', 0)
