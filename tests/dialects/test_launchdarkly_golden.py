"""Every LaunchDarkly recording, through the dialect: nothing lost, nothing changed, everything found that filters need.

The golden files hold what is extracted. After a change that is meant, write them anew and read the difference:

    .venv/bin/python -m tests.dialects.test_launchdarkly_golden
"""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from router.credentials import CredentialKind
from router.dialects.dialect import Batch
from router.dialects.launchdarkly import LaunchDarkly
from router.records import pack_body, seal, unpack
from tests.dialects import fixtures
from tests.dialects.fixtures import Recorded

GOLDEN: Final = Path(__file__).parent / "golden" / "launchdarkly"
FIRST: Final = {"ld-node-server-9.13.7": 30}  # of each request; it has posts of 4,000 events
NAMES: Final = [*fixtures.names("ld-"), *fixtures.names("edge-ld-")]
SDK = LaunchDarkly()


def posts(name: str) -> list[Recorded]:
    return [recorded for recorded in fixtures.requests(name) if recorded.method != "OPTIONS"]


def content(recorded: Recorded) -> str:
    """The JSON of a post, found without the router's help."""
    if recorded.method == "GET":
        encoded = recorded.request().query["d"]
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    body = gzip.decompress(recorded.body) if recorded.headers.get("content-encoding") == "gzip" else recorded.body
    return body.decode()


def slices(text: str) -> Iterator[str]:
    """The elements of an array as they are written, by the standard library's decoder."""
    if text.startswith("{"):
        yield text
        return
    decoder = json.JSONDecoder()
    start = 1
    while text[start - 1] != "]":
        start += len(text[start:]) - len(text[start:].lstrip()) if text[start].isspace() else 0
        _, end = decoder.raw_decode(text, start)
        yield text[start:end]
        start = end + 1


def evaluations(raw: bytes) -> int:
    features = json.loads(raw)["features"].values()
    return sum(counter["count"] for feature in features for counter in feature["counters"])


def extracted(name: str) -> dict[str, Any]:
    """What the golden file of a recording holds."""
    requests = []
    for recorded in posts(name):
        batch = fixtures.decode(SDK, recorded)
        rows = [[*event[:-1]] for event in batch.events[: FIRST.get(name)]]
        identity = batch.identity.decode() if batch.identity else None
        facts = {"endpoint": fixtures.route_of(SDK, recorded)[0].endpoint, "identity": identity, **batch.facts}
        requests.append({"facts": facts, "total": len(batch.events), "events": rows})
    return {"requests": requests}


def written(golden: dict[str, Any]) -> str:
    """One line an event, so that a difference can be read."""
    blocks = []
    for request in golden["requests"]:
        rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in request["events"])
        facts = json.dumps(request["facts"], ensure_ascii=False)
        blocks.append(f'{{"facts": {facts},\n "total": {request["total"]}, "events": [\n{rows}\n ]}}')
    return '{"requests": [\n' + ",\n".join(blocks) + "\n]}\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_kept_byte_for_byte_and_in_order(name: str) -> None:
    for recorded in posts(name):
        batch = fixtures.decode(SDK, recorded)

        assert [event.raw.decode() for event in batch.events] == list(slices(content(recorded)))
        assert batch.set_aside == []


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_per_kind_are_those_of_the_recording(name: str) -> None:
    counts: Counter[str] = Counter()
    for recorded in posts(name):
        kinds = Counter(json.loads(event.raw)["kind"] for event in fixtures.decode(SDK, recorded).events)
        assert kinds == Counter(recorded.events)
        counts += kinds
        for event in fixtures.decode(SDK, recorded).events:
            if event.name == "summary":
                counts["summary_evaluations"] += evaluations(event.raw)

    assert counts == fixtures.expected(name)["events"]


@pytest.mark.parametrize("name", NAMES)
def test_extraction_is_as_the_golden_file_says(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    assert json.loads(json.dumps(extracted(name))) == golden


def test_there_is_a_golden_file_for_every_recording_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_shows_its_credential(name: str) -> None:
    for recorded in posts(name):
        claim = fixtures.claim(SDK, recorded)
        if "/events/" in recorded.path:
            assert claim.secret == "0123456789abcdef01234567"
            assert claim.kinds == {CredentialKind.CLIENT_SIDE_ID}
        else:
            assert claim.secret == recorded.headers["authorization"]
            assert claim.kinds == {CredentialKind.SDK_KEY, CredentialKind.MOBILE_KEY}


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_survives_the_log(name: str) -> None:
    """What is extracted is of types that the log's format holds, and comes back equal."""
    for recorded in posts(name):
        batch = fixtures.decode(SDK, recorded)
        entry = unpack(seal(1, pack_body("launchdarkly", "bulk", batch.facts, batch.events)))

        assert list(entry.events) == batch.events
        assert entry.facts == batch.facts


@pytest.mark.parametrize("name", fixtures.names("ld-"))
def test_no_header_is_asked_for_that_is_not_allowed(name: str) -> None:
    """Browsers' preflights pass even where what they ask for is not mirrored."""
    for recorded in fixtures.requests(name):
        if recorded.method != "OPTIONS":
            continue
        route, _ = fixtures.route_of(SDK, Recorded("POST", recorded.target))
        assert route.cors is not None
        asked = recorded.headers["access-control-request-headers"].lower().split(",")
        assert {header.strip() for header in asked} <= set(route.cors.allow_headers.lower().split(","))


def identities(name: str) -> list[bytes | None]:
    return [fixtures.decode(SDK, recorded).identity for recorded in posts(name)]


def test_a_payload_that_comes_again_has_the_same_identity() -> None:
    first, again, other = identities("edge-ld-node-server-9.13.7-retry")

    assert first is not None
    assert first == again != other


def test_a_payload_that_the_browser_repeats_has_one_identity() -> None:
    """Chromium resends on a 408: each of the two payloads arrives four times."""
    found = identities("edge-ld-js-browser-v3-3.9.5-408")

    assert [None not in found, len(found), len(set(found))] == [True, 8, 2]
    assert sum(one != other for one, other in pairwise(found)) == 1


def test_a_diagnostic_retried_on_the_analytics_path_has_the_same_identity() -> None:
    recorded = posts("edge-ld-node-server-9.13.7-diagnostic-retry")
    first, *between, again = [fixtures.decode(SDK, each) for each in recorded]

    assert [recorded[0].path, recorded[-1].path] == ["/diagnostic", "/bulk"]
    assert first.identity is not None
    assert first.identity == again.identity
    assert first.events == again.events
    assert first.identity not in [batch.identity for batch in between]


@pytest.mark.parametrize("name", fixtures.names("ld-"))
def test_different_payloads_have_different_identities(name: str) -> None:
    found = [identity for identity in identities(name) if identity is not None]

    assert len(found) == len(set(found))
    assert found or name == "ld-js-browser-v2-nocors-2.24.2"


@pytest.mark.parametrize("name", [name for name in fixtures.names("ld-") if "nocors" not in name])
def test_the_schema_can_be_told_from_the_events(name: str) -> None:
    """Each post again without its header: the same schema is found, where the events can tell at all."""
    for recorded in posts(name):
        stripped = {key: value for key, value in recorded.headers.items() if key != "x-launchdarkly-event-schema"}
        said = fixtures.decode(SDK, recorded).facts.get("schema")
        told = fixtures.decode(SDK, Recorded(recorded.method, recorded.target, stripped, recorded.body))
        assert told.facts.get("schema") == (schema_of_users(told) or said)


def schema_of_users(batch: Batch) -> int | None:
    """1 where every event has its user inline and nothing else tells: then schemas 1 and 3 look the same."""
    plain = all(event.name not in ("summary", "index", "alias") for event in batch.events)
    inline = all("user" in json.loads(event.raw) for event in batch.events)
    return 1 if plain and inline else None


if __name__ == "__main__":
    for recording in NAMES:
        (GOLDEN / f"{recording}.json").write_text(written(extracted(recording)))
