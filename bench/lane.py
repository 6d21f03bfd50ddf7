"""What the fast lane is worth: durable posts with it and without, of one event and of fifty, in one run.

.venv/bin/python -m bench.lane [--seconds 4] [--rounds 5] [--batches 1 50 500]
"""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.ingest import events, generator, load
from tests.process import RouterProcess

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
fast_lane = {fast}
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-demo"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="length of each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 50, 500], help="events in a post")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        binary = generator(folder)
        processes: dict[str, RouterProcess] = {}
        for name, fast in (("fast", "true"), ("plain", "false")):
            config = folder / f"{name}.toml"
            config.write_text(CONFIG.format(fast=fast))
            processes[name] = RouterProcess(folder / name, config)
            processes[name].start()
            stack.callback(processes[name].kill)
        for batch in options.batches:
            body = folder / "body"
            body.write_bytes(events(batch))
            rates: dict[str, list[float]] = {name: [] for name in processes}
            lines: dict[str, str] = {}
            for _ in range(options.rounds):
                for name, process in processes.items():
                    rate, line = load(
                        binary, process.port, body, connections=options.connections, seconds=options.seconds
                    )
                    rates[name].append(rate)
                    lines[name] = line
            fast_rate, plain_rate = statistics.median(rates["fast"]), statistics.median(rates["plain"])
            print(
                f"{batch:4} events a post: fast {fast_rate:6.0f} posts/s ({min(rates['fast']):.0f} to "
                f"{max(rates['fast']):.0f}), {fast_rate * batch:,.0f} events/s; plain {plain_rate:6.0f}; "
                f"ratio {fast_rate / plain_rate:.1f}"
            )
            print(f"     {lines['fast']}")


if __name__ == "__main__":
    main()
