"""The dashboard as its users have it: with a keyboard, on a phone, through a screen reader's eyes, and offline."""

import hashlib
import hmac
import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browser import Browser
from tests.process import RouterProcess, router

TAB, ENTER = "\ue004", "\ue007"
DESKTOP, PHONE = (1280, 900), (390, 844)
LOG_IN = """
    document.getElementById("token").value = args[0];
    document.getElementById("login").requestSubmit();
"""
FOLLOW = """
    document.getElementById("tail-from").value = "earliest";
    document.getElementById("tail-kind").value = args[0];
    document.getElementById("tail-text").value = args[1];
    document.getElementById("tail-form").requestSubmit();
"""
ROWS = "[...document.querySelectorAll('#tail-rows summary')].map(row => row.textContent)"
TILE = (
    "[...document.querySelectorAll('#tiles div')].find(tile => tile.firstChild.textContent === '{}')"
    "?.lastChild.textContent"
)
AXE = """
    const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]});
    return found.violations.map(one => [one.impact, one.id, one.nodes.map(node => node.html).slice(0, 3)]);
"""


def post(process: RouterProcess, *events: dict[str, Any]) -> None:
    body = json.dumps(events).encode()
    request = urllib.request.Request(f"{process.url}/bulk", body, {"Authorization": "sdk-demo"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def acknowledge(process: RouterProcess, consumer: str, cursor: str) -> None:
    headers = {"Authorization": "Bearer api-demo", "Content-Type": "application/json"}
    url = f"{process.url}/consumers/{consumer}/ack"
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps({"cursor": cursor}).encode(), headers)
    ) as answer:
        assert answer.status == 204


def custom(key: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    return {"kind": "custom", "key": key, "creationDate": now, "contextKeys": {"user": "u-1"}}


def feature(flag: str, value: object) -> dict[str, Any]:
    now = int(time.time() * 1000)
    return {
        "kind": "feature",
        "key": flag,
        "value": value,
        "variation": int(value is True),
        "creationDate": now,
        "context": {"kind": "user", "key": "u-1"},
    }


def log_in(browser: Browser, process: RouterProcess, token: str = "api-demo") -> None:
    browser.open(f"{process.url}/")
    browser.wait("document.getElementById('state').textContent.startsWith('Ready')")
    browser.run(LOG_IN, token)
    browser.wait("!document.getElementById('who').hidden")
    assert browser.run("return document.getElementById('login').offsetHeight") == 0


def keep(browser: Browser, name: str) -> None:
    """Leave a picture for people to look at where $ROUTER_SCREENSHOTS says."""
    folder = os.environ.get("ROUTER_SCREENSHOTS")
    picture = browser.screenshot(whole=True)
    assert picture.startswith(b"\x89PNG")
    if folder:
        Path(folder, f"{name}.png").write_bytes(picture)


def elsewhere(browser: Browser, process: RouterProcess) -> list[str]:
    """What the page has loaded that did not come from the router."""
    loaded = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    return [url for url in loaded if not url.startswith(process.url)]


def test_a_posted_event_is_in_the_tail_and_in_the_chart(browser: Browser) -> None:
    with router() as process:
        browser.resize(*DESKTOP)
        log_in(browser, process)
        browser.run(FOLLOW, "", "")
        browser.wait("document.getElementById('tail-state').textContent.startsWith('Following')")
        for number in range(30):
            post(process, custom(f"order-{number}"), feature("checkout-v2", number % 2 == 0))
        browser.wait(f"{ROWS}.some(row => row.includes('order-29'))")
        browser.wait(TILE.format("Events stored") + " === '60'")
        browser.wait("/[1-9]/.test(document.querySelector('#chart-rate .key-0').textContent)")
        browser.wait("document.querySelector('#chart-rate .series-0').getAttribute('d').length > 5")
        assert browser.run(f"return {TILE.format('Unaccounted')}") == "0"

        browser.run(FOLLOW, "evaluation", "")
        browser.wait(f"{ROWS}.length === 30")
        assert all("checkout-v2" in row for row in browser.run(f"return {ROWS}"))
        browser.run(FOLLOW, "", "order-7")
        browser.wait(f"{ROWS}.length === 1")
        browser.run("document.querySelector('#tail-rows summary').click()")
        assert '"order-7"' in browser.wait("document.querySelector('#tail-rows pre')?.textContent")
        browser.wait("document.querySelector('#stream-rows th')?.textContent === 'default/production'")
        cursor = browser.run("return document.querySelector('#tail-rows details').dataset.cursor")
        acknowledge(process, "warehouse", cursor)
        browser.wait("document.getElementById('stream-rows').textContent.includes('warehouse (consumer)')")
        keep(browser, "desktop")
        assert browser.console() == ""
        assert elsewhere(browser, process) == []


def test_an_actor_is_opened_and_started_anew(browser: Browser) -> None:
    with router() as process:
        log_in(browser, process)
        browser.wait("document.querySelector('[data-actor=\"default/production/partition\"]')")
        browser.run("document.querySelector('[data-actor=\"default/production/partition\"]').click()")
        browser.wait("document.querySelector('#actor-detail h3')?.textContent === 'default/production/partition'")
        assert "It has not been restarted" in browser.run("return document.getElementById('actor-detail').textContent")
        browser.run("window.confirm = () => true; document.querySelector('#actor-detail button').click()")
        browser.wait("document.querySelector('#actor-detail ol li')?.textContent.includes('stopped')")
        post(process, custom("after"))
        assert browser.console() == ""


def summary(flag: str, when: int, **counts: int) -> dict[str, Any]:
    """Evaluations of a boolean flag in the second before `when`, unix ms."""
    counters = [
        {"value": value == "true", "variation": int(value == "true"), "version": 1, "count": count}
        for value, count in counts.items()
    ]
    features = {flag: {"default": False, "counters": counters, "contextKinds": ["user"]}}
    return {"kind": "summary", "startDate": when - 1000, "endDate": when, "features": features}


def flip(process: RouterProcess, flag: str, when: int) -> None:
    """Tell of a change as its vendor would."""
    change = {"action": "updateOn", "flag": flag, "change_id": "change-1", "created_at": when, "created_by": "kim"}
    body = json.dumps({"data": [change | {"environment": "production"}]}).encode()
    signature = hmac.new(b"whsec-demo", body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{process.url}/webhooks/generic", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_a_flag_change_is_followed_to_its_impact(browser: Browser) -> None:
    minute, now = 60_000, int(time.time() * 1000)
    with router() as process:
        browser.resize(*DESKTOP)
        flag = "checkout-v2"
        post(
            process,
            summary(flag, now - 6 * minute, true=20, false=80),
            summary(flag, now - 2 * minute, true=90, false=10),
        )
        flip(process, flag, now - 4 * minute)
        log_in(browser, process)
        browser.wait("!document.getElementById('changes-state').textContent.startsWith('Log in')")
        end = time.monotonic() + 20
        while not browser.run("return document.querySelectorAll('.change rect').length"):
            assert time.monotonic() < end, browser.run("return document.getElementById('changes').textContent")
            browser.run("document.getElementById('changes-form').requestSubmit()")
            time.sleep(0.2)
        shown = browser.run("return document.querySelector('.change').textContent")
        for text in (flag, "Impact medium, 70.0 %.", "are not over", "20 (20 %)", "90 (90 %)"):
            assert text in shown
        assert browser.run("return document.querySelectorAll('.change rect').length") == 4
        keep(browser, "changes")
        assert browser.console() == ""
        assert elsewhere(browser, process) == []


def test_it_is_used_without_a_mouse(browser: Browser) -> None:
    with router() as process:
        browser.open(f"{process.url}/")
        browser.wait("document.getElementById('state').textContent.startsWith('Ready')")
        browser.keys(TAB)
        assert browser.run("return document.activeElement.className") == "skip"
        while browser.run("return document.activeElement.id") != "token":
            browser.keys(TAB)
        browser.keys("api-demo" + ENTER)
        browser.wait("!document.getElementById('who').hidden")
        assert browser.run("return document.activeElement.id") == "logout", "the focus is not lost"
        browser.wait("document.querySelectorAll('[data-actor]').length > 5")
        seen = set()
        for _ in range(60):
            browser.keys(TAB)
            seen.add(browser.run("return document.activeElement.dataset.actor || document.activeElement.id"))
        assert {"committer", "tail-kind", "tail-start", "changes-flag"} <= seen


@pytest.mark.parametrize(("name", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_nothing_shuts_anybody_out(browser: Browser, modules: Path, name: str, size: tuple[int, int]) -> None:
    """axe-core finds no fault, whatever its gravity; and nothing is wider than a phone."""
    with router() as process:
        browser.resize(*size, phone=name == "phone")
        log_in(browser, process)
        browser.run(FOLLOW, "", "")
        post(process, *(custom(f"key-{n}") for n in range(5)))
        browser.wait(f"{ROWS}.length === 5")
        browser.run("document.querySelector('[data-actor=committer]').click()")
        browser.wait("document.querySelector('#actor-detail h3')")
        browser.run((modules / "axe-core" / "axe.min.js").read_text() + "; window.axe = axe;")
        assert browser.run(AXE) == []
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        keep(browser, f"axe-{name}")


def test_a_wrong_token_is_told_and_none_is_kept(browser: Browser) -> None:
    with router() as process:
        browser.open(f"{process.url}/")
        browser.wait("document.getElementById('state').textContent.startsWith('Ready')")
        browser.run(LOG_IN, "api-wrong")
        browser.run(FOLLOW, "", "")
        told = "[...document.querySelectorAll('[role=alert], [role=status]')].map(one => one.textContent).join()"
        browser.wait(f"{told}.includes('not known')")
        assert browser.run("return document.getElementById('token').value") == ""
        stored = browser.run("return [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]")
        assert stored == [[], [], ""]
