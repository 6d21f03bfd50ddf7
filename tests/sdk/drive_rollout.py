"""A rollout as an application lives through it: 1,000 contexts ask for a flag before a change and after it.

python -m tests.sdk.drive_rollout URL launchdarkly
python -m tests.sdk.drive_rollout URL statsig PERCENT

LaunchDarkly's SDK goes through both phases in one process and waits for a line on its standard input before the second.
Prints after each phase how many contexts got the new value.
"""

import copy
import json
import sys
import time

from tests.sdk.drive_statsig import SPECS

CONTEXTS = 1000


def launchdarkly(url: str) -> None:
    import ldclient
    from ldclient import Config, Context
    from ldclient.integrations.test_data import TestData

    flags = TestData.data_source()
    flags.update(flags.flag("checkout").variations("red", "blue").variation_for_all(0))
    client = ldclient.LDClient(
        Config(
            "sdk-demo",
            events_uri=url,
            update_processor_class=flags,
            diagnostic_opt_out=True,
            application={"id": "shop", "version": "1.2.3"},
        )
    )
    for phase in range(2):
        if phase:
            sys.stdin.readline()
            flags.update(flags.flag("checkout").fallthrough_variation(0).if_match("half", 1).then_return(1))
        contexts = [Context.builder(f"u-{number}").set("half", number % 2).build() for number in range(CONTEXTS)]
        new = [context for context in contexts if client.variation("checkout", context, "red") == "blue"]
        client.flush()
        print(len(new), flush=True)
    client.close()


def statsig(url: str, percent: int) -> None:
    from statsig import StatsigOptions, StatsigUser, statsig

    specs = copy.deepcopy(SPECS)
    specs["feature_gates"][0]["rules"][0]["passPercentage"] = percent  # type: ignore[index]
    options = StatsigOptions(
        api_for_log_event=f"{url}/v1/", api=f"{url}/v1/", bootstrap_values=json.dumps(specs), tier="production"
    )
    statsig.initialize("secret-demo", options)
    new = [number for number in range(CONTEXTS) if statsig.check_gate(StatsigUser(f"u-{number}"), "new_cart")]
    statsig.flush()
    time.sleep(0.5)
    statsig.shutdown()
    print(len(new), flush=True)


if __name__ == "__main__":
    if sys.argv[2] == "launchdarkly":
        launchdarkly(sys.argv[1])
    else:
        statsig(sys.argv[1], int(sys.argv[3]))
