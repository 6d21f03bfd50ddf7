"""Uses LaunchDarkly's Python SDK as an application would; prints how many calls it made.

python -m tests.sdk.drive_launchdarkly URL [--compress] [--diagnostics] [--pauses N]
"""

import argparse
import json
import sys
import time

import ldclient
from ldclient import Config, Context
from ldclient.integrations.test_data import TestData


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--compress", action="store_true")
    parser.add_argument("--diagnostics", action="store_true")
    parser.add_argument("--pauses", type=int, default=0, help="rounds of tracking with a flush and a pause after each")
    options = parser.parse_args()
    flags = TestData.data_source()
    flags.update(flags.flag("checkout").variations("red", "blue").variation_for_all(1))
    flags.update(flags.flag("dark-mode").boolean_flag().variation_for_all(True))
    client = ldclient.LDClient(
        Config(
            "sdk-demo",
            events_uri=options.url,
            update_processor_class=flags,
            diagnostic_opt_out=not options.diagnostics,
            enable_event_compression=options.compress,
            application={"id": "shop", "version": "1.2.3"},
        )
    )
    calls = {"custom": 0, "identify": 0, "evaluations": 0}
    contexts = [
        Context.builder("u-1").set("plan", "pro").set("näme", "Zoë 😀").private("plan").build(),
        Context.create("acme", "org"),
        Context.create_multi(Context.create("u-2"), Context.create("acme", "org")),
        Context.builder("anon").anonymous(True).build(),
    ]
    for context in contexts:
        client.identify(context)
        calls["identify"] += 1
        for flag, fallback in (("checkout", "red"), ("dark-mode", False), ("no-such-flag", 0)):
            client.variation(flag, context, fallback)
            client.variation_detail(flag, context, fallback)
            calls["evaluations"] += 2
        for number in range(6):
            client.track("order-paid", context, {"number": number, "odd": 1.0e-7, "text": 'a "b" \\ \u2028'}, 9.99)
            calls["custom"] += 1
    for number in range(options.pauses):
        client.track("later", contexts[0], {"number": number})
        calls["custom"] += 1
        client.flush()
        print(number, file=sys.stderr, flush=True)
        time.sleep(0.25)
    client.flush()
    client.close()
    print(json.dumps(calls))


if __name__ == "__main__":
    main()
