"""Statsig's JavaScript client, in Chromium, in a page of another origin than the router's."""

from collections import Counter
from pathlib import Path

import pytest

from tests.browser.browser import Browser
from tests.browser.pages import Site
from tests.browser.stored import Events, settled
from tests.process import RouterProcess, router

START = """
    const {StatsigClient} = window.Statsig;
    window.client = new StatsigClient("client-demo", {userID: "zoë"}, {
        networkConfig: {api: args[0] + "/v1", logEventUrl: args[1] + "/v1/rgstr"},
        logEventCompressionMode: args[2],
    });
    await client.initializeAsync();
"""


def start(browser: Browser, process: RouterProcess, site: Site, compression: str = "d") -> None:
    browser.open(site.page("statsig.js"))
    browser.run(START, site.origin, process.url, compression)


def names(found: Events) -> Counter[str]:
    return Counter(event["eventName"] for event in found)


@pytest.mark.parametrize("compression", ["d", "f"], ids=["plain", "gzip"])
def test_exposures_and_own_events_arrive_exactly_once(browser: Browser, site: Site, compression: str) -> None:
    with router() as process:
        start(browser, process, site, compression)
        seen = browser.run(
            """
            const seen = [client.checkGate("new_cart"), client.getDynamicConfig("prices").value.tea];
            client.logEvent("purchase", 9.5, {price: "9 €"});
            await client.flush();
            return seen;
            """
        )
        assert seen == [True, 3]
        found = settled(process, lambda found: "purchase" in names(found))
        assert names(found)["statsig::gate_exposure"] == names(found)["statsig::config_exposure"] == 1
        assert names(found)["purchase"] == 1
        purchase = next(event for event in found if event["eventName"] == "purchase")
        assert (purchase["value"], purchase["metadata"]["price"]) == (9.5, "9 €")
        assert purchase["user"]["userID"] == "zoë"
        sent = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        posts = [url for url in sent if url.startswith(process.url)]
        assert posts
        assert all(("gz=1" in url) is (compression == "f") for url in posts)


def test_the_beacon_of_a_page_that_is_left_arrives_exactly_once(browser: Browser, site: Site) -> None:
    with router() as process:
        start(browser, process, site)
        browser.run("client.checkGate('new_cart'); await client.flush();")
        before = names(settled(process, lambda found: "statsig::gate_exposure" in names(found)))
        assert before["statsig::gate_exposure"] == 1
        browser.run(
            """
            const send = navigator.sendBeacon.bind(navigator);
            navigator.sendBeacon = (url, body) => {
                localStorage.setItem("beacon", JSON.stringify([url, typeof body]));
                return send(url, body);
            };
            client.logEvent("left", 1);
            """
        )
        browser.open(site.elsewhere)
        found = settled(process, lambda found: "left" in names(found))
        assert names(found) == before + Counter(left=1)
        url, kind = browser.run("return JSON.parse(localStorage.getItem('beacon'))")
        assert url.startswith(f"{process.url}/v1/rgstr?k=client-demo")
        assert kind == "string"  # which the browser sends as text/plain


def test_what_is_sent_while_the_router_is_away_arrives_once_it_is_back(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    """The client posts again after 0.5 and 2.5 s (sdk-behaviour.md, "When delivery fails")."""
    with router(tmp_path / "data") as process:
        start(browser, process, site)
        process.kill()
        browser.run("client.logEvent('late', 1); window.flushed = false; client.flush().then(() => flushed = true);")
        browser.wait("performance.getEntriesByType('resource').some(entry => entry.name.includes('/v1/rgstr'))")
        process.start()
        found = settled(process, lambda found: "late" in names(found))
        assert names(found)["late"] == 1
        browser.wait("flushed")
