"""schemathesis makes requests of what `openapi.json` says, good and bad, and judges the answers by it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.process import RouterProcess, router

# A stream has no end to wait for: its parameters are tried in tests/http/test_streams.py.
ENDLESS = "/events"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KEYS: dict[str, dict[str, str]] = {
    "nobody": {},
    "sdk": {"Authorization": "sdk-demo", "statsig-api-key": "secret-demo"},
    "api": {"Authorization": "api-demo"},
}


@pytest.fixture(scope="module")
def served() -> Iterator[RouterProcess]:
    with router() as process:
        yield process


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", KEYS)
def test_answers_are_those_described(served: RouterProcess, who: str, mode: GenerationMode) -> None:
    """With no key, one of an SDK, and one that may do everything."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue

        @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers(case: Any) -> None:  # noqa: ANN401 - a case of schemathesis
            case.headers = {name: value for name, value in (case.headers or {}).items() if name not in KEYS["sdk"]}
            case.call_and_validate(base_url=served.url, headers=KEYS[who], checks=CHECKS)

        try:
            answers()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "there is nothing in it that could be wrong"
        else:
            tried += 1
    assert tried >= (40 if mode is GenerationMode.POSITIVE else 1)
