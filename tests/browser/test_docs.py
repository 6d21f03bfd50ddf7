"""The page of the API works under its own strict policy: nothing is refused by the browser, and the paths are there."""

from tests.browser.browser import Browser
from tests.process import router


def test_the_api_is_shown_and_nothing_is_refused(browser: Browser) -> None:
    with router() as process:
        browser.open(f"{process.url}/docs")
        shown = browser.run(
            """
            const until = Date.now() + 15000;
            while (Date.now() < until) {
                const found = document.querySelectorAll(".opblock-summary-path");
                if (found.length > 20) return [...found].map(item => item.textContent.replace(/\\u200b/g, ""));
                await new Promise(resolve => setTimeout(resolve, 100));
            }
            return [];
            """
        )
        console = str(browser.console())

    assert any("/bulk" in path for path in shown)
    assert "Content Security Policy" not in console
    assert "Refused to" not in console
