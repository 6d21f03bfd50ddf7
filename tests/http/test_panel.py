"""The dashboard's page and files: no data in them, nothing inline, nothing from elsewhere, no file forgotten."""

import re
from pathlib import Path

import pytest

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.ingest import Ingest
from router.http.panel import ASSETS
from tests.http.conftest import below

FOLDER = Path(__file__).parents[2] / "router" / "http" / "dashboard"
LOCAL, FAR = {"client": ("127.0.0.1", 1)}, {"client": ("192.0.2.1", 1)}


async def test_the_operator_gets_the_page_and_others_the_same_to_log_in(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        here = await client.get("/", scope_base=LOCAL)
        away = await client.get("/", scope_base=FAR)
        behind = await client.get("/", scope_base=LOCAL, headers={"X-Forwarded-For": "192.0.2.1"})
        shown = await client.get("/", scope_base=FAR, headers={"Authorization": "Bearer api-all"})
        assert [answer.status_code for answer in (here, away, behind, shown)] == [200, 401, 401, 200]
        assert b'data-operator="yes"' in await here.get_data()
        assert b'data-operator="no"' in await away.get_data()
        assert "script-src 'self'" in away.headers["Content-Security-Policy"]
        assert "unsafe" not in away.headers["Content-Security-Policy"]


async def test_every_file_is_served_with_its_type(tmp_path: Path) -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*ASSETS, "index.html"}
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        for name, kind in ASSETS.items():
            answer = await client.get(f"/dashboard/{name}", scope_base=FAR)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
            assert await answer.get_data() == (FOLDER / name).read_bytes()
        for name in ("index.html", "..%2Fpanel.py", "missing.js"):
            assert (await client.get(f"/dashboard/{name}", scope_base=LOCAL)).status_code == 404


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/", "")
    assert not re.search(r"https?://|//[a-z]", text)
    assert not re.search(r"localStorage|sessionStorage|document\.cookie|innerHTML|\beval\b", text)
    if path.suffix == ".html":
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", text)
