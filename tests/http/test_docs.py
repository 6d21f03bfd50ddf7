"""The page of the API loads everything from the router itself."""

import re
from pathlib import Path

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.docs import ASSETS, HTML, START
from router.http.ingest import Ingest
from tests.http.conftest import below

ADMIN = {"Authorization": "Bearer api-all"}


async def test_all_that_the_page_names_is_served(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        page = await client.get("/docs", headers=ADMIN)
        text = bytes(await page.get_data(as_text=False)).decode()
        named = re.findall(r'(?:src|href)="([^"]+)"', text) + re.findall(r'url: "([^"]+)"', START.decode())

        assert "'unsafe" not in page.headers["Content-Security-Policy"]
        assert len(named) == len(ASSETS) + 2
        for name in named:
            answer = await client.get(f"/{name}", headers=ADMIN)
            assert answer.status_code == 200, name
            assert len(await answer.get_data()) > 50
        assert (await client.get("/docs/../../pyproject.toml", headers=ADMIN)).status_code == 404
        assert (await client.get("/docs/index.html", headers=ADMIN)).status_code == 404


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    assert b"//" not in HTML
    assert not re.search(rb"<script>|<style|style=|onload", HTML)
