"""LaunchDarkly's browser SDKs, in Chromium, in a page of another origin than the router's."""

import re
from collections import Counter
from pathlib import Path

from tests.browser.browser import Browser
from tests.browser.pages import Site
from tests.browser.stored import Events, post, settled
from tests.process import RouterProcess, router

CLIENT = "demo-client-side-id"
CONTEXT = {"kind": "user", "key": "zoë", "name": "Zoë Müller"}

# SDK 3.x and its predecessor 2.x; args: client-side ID, context, options.
START = """
    window.errors = [];
    window.client = LDClient.initialize(args[0], args[1], args[2]);
    client.on("error", error => errors.push(String(error)));
    await client.waitUntilReady();
"""
USE = """
    const seen = [client.variation("checkout", false), client.variation("banner", "red"), client.variation("none", 5)];
    client.track("purchase", {"price": "9 €"}, 9.5);
    document.getElementById("buy").click();
    await client.flush();
    return seen;
"""
CONFIG = """
[[environment]]
project = "default"
key = "production"
client_side_ids = ["demo-client-side-id"]
sdk_keys = ["sdk-demo"]
cors_origins = ["{origin}"]
[[token]]
name = "reader"
token = "api-demo"
scopes = ["stream"]
"""


def options(process: RouterProcess, site: Site, **more: object) -> dict[str, object]:
    return {"baseUrl": site.origin, "eventsUrl": process.url, "sendEvents": True, "streaming": False} | more


def kinds(found: Events) -> Counter[str]:
    return Counter(event["kind"] for event in found)


def configured(folder: Path, origin: str) -> Path:
    """A configuration whose environment takes posts of pages of `origin` only."""
    config = folder / "router.toml"
    config.write_text('[server]\nbind = ["127.0.0.1:0"]\n' + CONFIG.format(origin=origin))
    return config


def test_every_kind_of_event_of_sdk_3_arrives_exactly_once(browser: Browser, site: Site) -> None:
    with router() as process:
        browser.open(site.page("launchdarkly-3.js"))
        browser.run(START, CLIENT, CONTEXT, options(process, site))
        browser.wait("document.readyState === 'complete'")
        browser.run("await client.waitUntilGoalsReady();")  # before that it sees no click
        assert browser.run(USE) == [True, "blue", 5]
        found = settled(process, lambda found: kinds(found)["summary"] > 0 and "diagnostic-combined" in kinds(found))
        assert browser.run("return errors") == []
        assert kinds(found) == {
            "diagnostic-combined": 1,
            "identify": 1,
            "pageview": 1,
            "click_pageview": 1,
            "feature": 1,
            "custom": 1,
            "click": 1,
            "summary": 1,
        }
        by_kind = {event["kind"]: event for event in found}
        assert by_kind["identify"]["context"] == CONTEXT
        assert (by_kind["custom"]["key"], by_kind["custom"]["metricValue"]) == ("purchase", 9.5)
        assert by_kind["custom"]["data"] == {"price": "9 €"}
        assert (by_kind["feature"]["key"], by_kind["feature"]["value"]) == ("checkout", True)
        assert set(by_kind["summary"]["features"]) == {"checkout", "banner", "none"}
        assert by_kind["click"]["url"] == site.page("launchdarkly-3.js")


def test_what_sdk_4_flushes_as_its_page_is_left_arrives_exactly_once(browser: Browser, site: Site) -> None:
    """The SDK itself sends nothing then (sdk-behaviour.md 21): an own handler flushes, with fetch(keepalive)."""
    with router() as process:
        browser.open(site.page("launchdarkly-4.js"))
        browser.wait("window.LDClient")
        browser.run(
            """
            window.client = LDClient.createClient(args[0], args[1], args[2]);
            await client.start();
            await client.flush();
            addEventListener("pagehide", () => client.flush());
            """,
            CLIENT,
            CONTEXT,
            {"baseUri": site.origin, "eventsUri": process.url, "streaming": False, "diagnosticOptOut": True},
        )
        before = kinds(settled(process, lambda found: "pageview" in kinds(found)))
        browser.run("client.track('left', null, 1);")
        browser.open(site.elsewhere)
        found = settled(process, lambda found: "custom" in kinds(found))
        assert kinds(found) == before + Counter(custom=1)
        assert found[-1]["key"] == "left"


def test_a_browser_without_cors_falls_back_to_images(browser: Browser, site: Site) -> None:
    with router() as process:
        browser.open(site.page("launchdarkly-2.js"))
        browser.run(
            "delete XMLHttpRequest.prototype.withCredentials;" + START,
            CLIENT,
            {"key": "zoë"},
            options(process, site, diagnosticOptOut=True),
        )
        browser.run(USE)
        found = settled(process, lambda found: "summary" in kinds(found))
        assert kinds(found)["custom"] == kinds(found)["feature"] == kinds(found)["summary"] == 1
        assert {event["user"]["key"] for event in found if "user" in event} == {"zoë"}
        posted = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        assert any(f"/events/bulk/{CLIENT}/a/{CLIENT}.gif?d=" in url for url in posted)


def test_a_page_can_read_the_status_and_the_date_of_refusals_too(browser: Browser, site: Site) -> None:
    """Without CORS headers a refusal is a network error, which SDKs take for a reason to send again (1.9)."""
    with router() as process:
        browser.open(site.page())
        read = """
            const answer = await fetch(args[0], {method: "POST", headers: {"Content-Type": args[1]}, body: args[2]});
            return [answer.status, (Date.now() - Date.parse(answer.headers.get("date"))) < 60_000];
        """
        for path, kind, body, status in (
            (f"/events/bulk/{CLIENT}", "application/json", "[]", 202),
            (f"/events/bulk/{CLIENT}", "application/json", "[{", 400),
            ("/events/bulk/unknown", "text/plain", "[]", 404),
            ("/v1/rgstr?k=client-unknown", "application/json", '{"events":[]}', 401),
        ):
            assert browser.run(read, process.url + path, kind, body) == [status, True]


def test_a_page_of_an_origin_that_is_not_allowed_cannot_post(browser: Browser, site: Site, tmp_path: Path) -> None:
    with router(tmp_path / "data", configured(tmp_path, "https://shop.example")) as process:
        browser.open(site.page("launchdarkly-3.js"))
        browser.run(START, CLIENT, CONTEXT, options(process, site))
        browser.run("await client.flush();")  # which SDK 3.x calls a success: it is silent about a lost connection
        console = browser.console()
        for endpoint in ("diagnostic", "bulk"):
            assert re.search(rf"/events/{endpoint}/{CLIENT}.{{1,99}} blocked by CORS policy", console)
        refused = browser.run(
            """
            return fetch(args[0], {method: "POST", headers: {"Content-Type": "application/json"}, body: "[]"})
                .then(answer => answer.status, error => error.name);
            """,
            f"{process.url}/events/bulk/{CLIENT}",
        )
        assert refused == "TypeError"
        assert post(process, "first") == "0-0"  # no offset was given out before


def test_a_page_of_an_origin_that_is_allowed_can_post(browser: Browser, site: Site, tmp_path: Path) -> None:
    with router(tmp_path / "data", configured(tmp_path, site.origin)) as process:
        browser.open(site.page("launchdarkly-3.js"))
        browser.run(START, CLIENT, CONTEXT, options(process, site, diagnosticOptOut=True))
        browser.run("client.track('purchase'); await client.flush();")
        found = settled(process, lambda found: "custom" in kinds(found))
        assert kinds(found)["custom"] == 1
        assert "CORS" not in browser.console()
