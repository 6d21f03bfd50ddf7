"""The browser's own EventSource as a reader of the stream, from a page of another origin."""

from pathlib import Path

from tests.browser.browser import Browser
from tests.browser.pages import Site
from tests.browser.stored import post
from tests.process import RouterProcess, router

OPEN = """
    window.keys = []; window.opened = 0; window.failed = []; window.others = [];
    window.source = new EventSource(args[0]);
    source.onopen = () => opened++;
    source.onerror = () => failed.push(source.readyState);
    source.onmessage = message => keys.push(JSON.parse(message.data).key);
    for (const name of ["gap", "reset", "busy"])
        source.addEventListener(name, message => others.push([name, message.data]));
"""


def follow(browser: Browser, process: RouterProcess, site: Site) -> None:
    browser.open(site.page())
    browser.run(OPEN, f"{process.url}/events?token=api-demo&from=earliest")
    browser.wait("opened === 1")


def test_onmessage_sees_what_is_posted_meanwhile(browser: Browser, site: Site) -> None:
    keys = ["naïve", "日本語", "🛒", "line\u2028separator", 'quo"te']
    with router() as process:
        post(process, "before")
        follow(browser, process, site)
        for key in keys:
            post(process, key)
        browser.wait(f"keys.length >= {len(keys) + 1}")
        assert browser.run("return keys") == ["before", *keys]
        assert browser.run("return [opened, failed, others]") == [1, [], []]


def test_it_reconnects_by_itself_and_misses_nothing_over_a_crash(browser: Browser, site: Site, tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        post(process, *[f"a{number}" for number in range(5)])
        follow(browser, process, site)
        browser.wait("keys.length >= 5")
        process.kill()
        browser.wait("failed.length > 0")
        assert browser.run("return failed[0]") == 0  # connecting again, not closed for good
        process.start()
        post(process, "b0", "b1")
        browser.wait("opened === 2 && keys.length >= 7", timeout=20)
        post(process, "c0")
        browser.wait("keys.length >= 8")
        assert browser.run("return keys") == ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "c0"]
        assert browser.run("return others") == []


def test_it_reconnects_after_an_orderly_stop(browser: Browser, site: Site, tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        follow(browser, process, site)
        post(process, "a")
        browser.wait("keys.length >= 1")
        assert process.stop() == 0
        process.start()
        post(process, "b")
        browser.wait("keys.length >= 2", timeout=20)
        assert browser.run("return [keys, opened, others]") == [["a", "b"], 2, []]


def test_a_wrong_token_ends_it_for_good(browser: Browser, site: Site) -> None:
    with router() as process:
        browser.open(site.page())
        browser.run(OPEN, f"{process.url}/events?token=api-wrong")
        browser.wait("failed.length > 0")
        assert browser.run("return [failed, opened]") == [[2], 0]  # 2: closed
