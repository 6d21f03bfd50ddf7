"""NATS JetStream: over NATS's own protocol, so a ceiling rather than a rival."""

import json
import socket
from pathlib import Path

from bench.compare.event import events
from bench.compare.failure import Failure
from bench.compare.peer import Peer, Purpose

CONFIG = """
listen: 127.0.0.1:{port}
max_payload: 8MB
jetstream {{ store_dir: "{folder}", sync_interval: always }}
"""
STREAM = {"name": "BENCH", "subjects": ["bench"], "storage": "file", "retention": "limits", "num_replicas": 1}
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n'


class Nats(Peer):
    name = "NATS JetStream"
    about = "file storage, sync_interval always, over its own protocol: not HTTP; one event a publish"
    durable = True
    batched = False  # it syncs each message by itself, and answers a pipelined batch only after all that waits
    protocol = "nats"

    def missing(self) -> str | None:
        return None if self.tools.find("nats-server") else "nats-server"

    def command(self, folder: Path) -> list[str]:
        (folder / "nats.conf").write_text(CONFIG.format(port=self.port, folder=folder / "jetstream"))
        return [str(self.tools.find("nats-server")), "-c", str(folder / "nats.conf")]

    def prepare(self) -> None:
        body = json.dumps(STREAM).encode()
        ask = b"SUB _INBOX.made 1\r\nPUB $JS.API.STREAM.CREATE.BENCH _INBOX.made %d\r\n%s\r\n" % (len(body), body)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(CONNECT + ask)
            answer = b""
            while b"stream_create_response" not in answer:
                data = connection.recv(65536)
                answer += data
                if not data or b"-ERR" in answer:
                    raise Failure(f"NATS made no stream: {answer[-300:].decode(errors='replace')}")
            if b'"error"' in answer:
                raise Failure(f"NATS made no stream: {answer[-300:].decode(errors='replace')}")

    def preamble(self) -> bytes:
        return CONNECT + b"SUB _INBOX.conn-0000 1\r\nPING\r\n"

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        return [b"".join(b"PUB bench _INBOX.conn-0000 %d\r\n%s\r\n" % (len(event), event) for event in events(batch))]

    def replies(self, batch: int) -> int:
        return batch
