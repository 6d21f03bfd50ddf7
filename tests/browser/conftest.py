"""A browser, a site and the SDKs for every test here; skipped where the machine lacks one of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.browser import Browser
from tests.browser.browser import browser as running_browser
from tests.browser.pages import Site
from tests.browser.pages import site as running_site
from tests.npm import Missing, installed


@pytest.fixture(scope="session")
def modules() -> Path:
    try:
        return installed(Path(__file__).with_name("package.json"))
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture
def site(modules: Path) -> Iterator[Site]:
    with running_site(modules) as found:
        yield found


@pytest.fixture
def browser() -> Iterator[Browser]:
    # Not in tmp_path: pytest keeps that for three runs, and a profile has megabytes.
    with tempfile.TemporaryDirectory(prefix="router-browser-", ignore_cleanup_errors=True) as folder:
        try:
            with running_browser(Path(folder)) as found:
                yield found
        except Missing as error:
            pytest.skip(str(error))
