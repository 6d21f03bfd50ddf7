"""A browser, a site and the SDKs for every test here; skipped where the machine lacks one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.browser import Browser
from tests.browser.browser import browser as running_browser
from tests.browser.install import Missing, installed
from tests.browser.pages import Site
from tests.browser.pages import site as running_site


@pytest.fixture(scope="session")
def modules() -> Path:
    try:
        return installed()
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture
def site(modules: Path) -> Iterator[Site]:
    with running_site(modules) as found:
        yield found


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    try:
        with running_browser(tmp_path) as found:
            yield found
    except Missing as error:
        pytest.skip(str(error))
