"""Every answer of ours says how a browser is to treat it, errors included."""

from pathlib import Path

import pytest
from quart import Response

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.headers import harden
from router.http.ingest import Ingest
from tests.http.conftest import below


@pytest.mark.parametrize("path", ["/health/live", "/health", "/quarantine", "/no-such", "/events"])
async def test_answers_are_hardened(tmp_path: Path, path: str) -> None:
    async with below(tmp_path) as running:
        app = create_app(running.services, [LaunchDarkly()], Ingest(running.services))
        answer = await app.test_client().get(path)

        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]


def test_what_an_endpoint_says_itself_stays() -> None:
    response = Response("", headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"})

    assert harden(response).headers["Cache-Control"] == "max-age=60"
    assert response.headers["Content-Security-Policy"] == "default-src 'self'"
