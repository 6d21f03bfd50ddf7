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

from tests.process import PLAIN, RouterProcess, router

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KEYS: dict[str, dict[str, str]] = {
    "nobody": {},
    "sdk": {"Authorization": "sdk-demo", "statsig-api-key": "secret-demo"},
    "api": {"Authorization": "api-demo"},
}


LANES = {"fast lane": "true", "plain route": "false"}
WEBHOOK = """
[[webhook]]
vendor = "{vendor}"
project = "default"
secret = "whsec-demo"
"""


@pytest.fixture(scope="module", params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def served(lane: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """Its streams end soon: a client that reads whole answers can wait for them, whatever it asked for."""
    folder = tmp_path_factory.mktemp("described")
    text = PLAIN.replace("fast_lane = false", f'fast_lane = {LANES[lane]}\nstream_max_age = "200ms"')
    text += "".join(WEBHOOK.format(vendor=vendor) for vendor in ("launchdarkly", "statsig", "generic"))
    (folder / "router.toml").write_text(text)
    with router(folder / "data", folder / "router.toml") as process:
        yield process


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", KEYS)
def test_answers_are_those_described(served: RouterProcess, lane: str, who: str, mode: GenerationMode) -> None:
    """Every operation, with no key, one of an SDK, and one that may do everything. On the plain route, those that the
    fast lane serves otherwise: the rest it has served in any case."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    described: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # ours
    operations = [operation for operation in described if lane == "fast lane" or in_lane(operation)]
    assert len(operations) > 20
    assert "/events" in [operation.path for operation in operations]
    tried = 0
    for operation in operations:

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
    assert tried == len(operations) or (mode is GenerationMode.NEGATIVE and tried)


def in_lane(operation: Any) -> bool:  # noqa: ANN401 - of schemathesis
    """Whether the fast lane serves it: posts of events, and the stream."""
    return any(tag.startswith("events in") for tag in operation.tags) or operation.path == "/events"
