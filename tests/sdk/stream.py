"""The stream as LaunchDarkly's own event source reads it."""

import json
import subprocess
import sys
import urllib.request

SCRIPT = """
import sys, threading
from ld_eventsource import SSEClient
from ld_eventsource.config import ConnectStrategy
url, count = sys.argv[1], int(sys.argv[2])
client = SSEClient(ConnectStrategy.http(url, headers={"Authorization": "api_key api-demo"}))
threading.Timer(20, lambda: client.close()).start() if count else None
seen = 0
for event in client.events:
    sys.stdout.buffer.write(event.id.encode() + b"\\t" + event.event.encode() + b"\\t" + event.data.encode() + b"\\n")
    seen += 1
    if seen >= count:
        break
sys.stdout.flush()
import os
os._exit(0)
"""


def events(url: str, count: int) -> list[bytes]:
    """JSON of all events, `count` of them, read with `launchdarkly-eventsource` (in a process: it leaves threads).

    Fails when there are more, when something else than events comes, or when their cursors are not in order.
    """
    with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
        assert json.load(answer)["environments"][0]["head"] == count
    command = [sys.executable, "-c", SCRIPT, f"{url}/events?from=earliest", str(count)]
    done = subprocess.run(command, capture_output=True, timeout=40, check=True)
    rows = [line.split(b"\t", 2) for line in done.stdout.splitlines()]
    assert {row[1] for row in rows} <= {b"message"}
    assert [int(row[0].rsplit(b"-", 1)[1]) for row in rows] == list(range(len(rows)))
    return [row[2] for row in rows]
