"""Uses Statsig's Python SDKs as an application would; prints how many calls it made.

python -m tests.sdk.drive_statsig URL legacy|core [--pauses N]
"""

import argparse
import json
import sys
import time

SPECS = {
    "has_updates": True,
    "time": 1_700_000_000_000,
    "feature_gates": [
        {
            "name": "new_cart",
            "type": "feature_gate",
            "salt": "s",
            "enabled": True,
            "defaultValue": False,
            "isDeviceBased": False,
            "idType": "userID",
            "entity": "feature_gate",
            "rules": [
                {
                    "name": "everyone",
                    "id": "everyone",
                    "salt": "s",
                    "passPercentage": 100,
                    "returnValue": True,
                    "idType": "userID",
                    "isDeviceBased": False,
                    "conditions": [
                        {
                            "type": "public",
                            "targetValue": None,
                            "operator": None,
                            "field": None,
                            "additionalValues": {},
                            "isDeviceBased": False,
                            "idType": "userID",
                        }
                    ],
                }
            ],
        }
    ],
    "dynamic_configs": [],
    "layer_configs": [],
    "layers": {},
}
USERS = 12


def legacy(url: str, pauses: int) -> dict[str, int]:
    from statsig import StatsigEvent, StatsigOptions, StatsigUser, statsig

    options = StatsigOptions(
        api_for_log_event=f"{url}/v1/", api=f"{url}/v1/", bootstrap_values=json.dumps(SPECS), tier="staging"
    )
    statsig.initialize("secret-demo", options)
    calls = {"gate": 0, "custom": 0}
    for number in range(USERS):
        user = StatsigUser(f"u-{number}", custom_ids={"org": "acme"}, custom={"näme": "Zoë 😀"})
        statsig.check_gate(user, "new_cart")
        statsig.log_event(StatsigEvent(user, "add_to_cart", value=number, metadata={"sku": 'a "b" \\'}))
        calls["gate"] += 1
        calls["custom"] += 1
    for number in range(pauses):
        statsig.log_event(StatsigEvent(StatsigUser("u"), "later", value=number))
        calls["custom"] += 1
        statsig.flush()
        print(number, file=sys.stderr, flush=True)
        time.sleep(0.4)
    statsig.flush()
    time.sleep(0.5)
    statsig.shutdown()
    return calls


def core(url: str, pauses: int) -> dict[str, int]:
    from statsig_python_core import Statsig, StatsigOptions, StatsigUser

    options = StatsigOptions(log_event_url=f"{url}/v1/log_event", specs_url=f"{url}/v2/download_config_specs")
    statsig = Statsig("secret-demo", options)
    statsig.initialize().wait()
    calls = {"gate": 0, "custom": 0}
    for number in range(USERS):
        user = StatsigUser(f"u-{number}", custom_ids={"org": "acme"}, custom={"näme": "Zoë 😀"})
        statsig.check_gate(user, "new_cart")
        statsig.log_event(user, "add_to_cart", number, {"sku": 'a "b" \\'})
        calls["gate"] += 1
        calls["custom"] += 1
    for number in range(pauses):
        statsig.log_event(StatsigUser("u"), "later", str(number))
        calls["custom"] += 1
        statsig.flush_events().wait()
        print(number, file=sys.stderr, flush=True)
        time.sleep(0.4)
    statsig.flush_events().wait()
    statsig.shutdown().wait()
    return calls


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("kind", choices=["legacy", "core"])
    parser.add_argument("--pauses", type=int, default=0)
    options = parser.parse_args()
    calls = (legacy if options.kind == "legacy" else core)(options.url, options.pauses)
    print(json.dumps(calls), flush=True)


if __name__ == "__main__":
    main()
