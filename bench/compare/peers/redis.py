"""Redis streams: over Redis's own protocol, so a ceiling rather than a rival."""

from pathlib import Path

from bench.compare.event import events
from bench.compare.peer import Peer, Purpose


def xadd(event: bytes) -> bytes:
    """One XADD in the protocol's form."""
    words = [b"XADD", b"bench", b"*", b"e", event]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Redis(Peer):
    name = "Redis streams"
    about = "XADD, appendfsync always, pipelined by the batch over its own protocol: not HTTP"
    durable = True
    protocol = "redis"

    def missing(self) -> str | None:
        return None if self.tools.find("redis-server") else "redis-server"

    def command(self, folder: Path) -> list[str]:
        options = {
            "bind": "127.0.0.1", "port": str(self.port), "dir": str(folder), "appendonly": "yes",
            "appendfsync": "always", "save": "", "auto-aof-rewrite-percentage": "0", "daemonize": "no",
        }  # fmt: skip
        return [
            str(self.tools.find("redis-server")),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        return [b"".join(xadd(event) for event in events(batch))]

    def replies(self, batch: int) -> int:
        return batch
