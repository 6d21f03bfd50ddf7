"""Every Statsig recording, through the dialect: nothing lost, nothing changed, everything found that filters need.

The golden files hold what is extracted. After a change that is meant, write them anew and read the difference:

    .venv/bin/python -m tests.dialects.test_statsig_golden
"""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from router.credentials import CredentialKind
from router.dialects.dialect import Batch
from router.dialects.statsig import Statsig
from router.records import pack_body, seal, unpack
from tests.dialects import fixtures
from tests.dialects.fixtures import Recorded

GOLDEN: Final = Path(__file__).parent / "golden" / "statsig"
FIRST: Final = 30  # events of each request; their raw JSON is in the recordings
NAMES: Final = [*fixtures.names("statsig-"), *fixtures.names("edge-statsig-")]
DELAY: Final = 40  # ms on the way, as golden files have it
SDK = Statsig()


def posts(name: str) -> list[Recorded]:
    return [recorded for recorded in fixtures.requests(name) if recorded.method != "OPTIONS"]


def content(recorded: Recorded) -> str:
    """The JSON of a post, found without the router's help."""
    body = gzip.decompress(recorded.body) if recorded.headers.get("content-encoding") == "gzip" else recorded.body
    return body.decode()


def sent(recorded: Recorded) -> int:
    """The sender's clock; a beacon's is in its body."""
    return int(recorded.headers.get("statsig-client-time") or json.loads(content(recorded))["clientTime"])


def decoded(recorded: Recorded) -> Batch:
    return fixtures.decode(SDK, recorded, received=sent(recorded) + DELAY)


def slices(text: str) -> list[str]:
    """The elements of the `events` array as they are written, by the standard library's decoder."""
    found = []
    decoder = json.JSONDecoder()
    start = text.index("[", text.index('"events"')) + 1
    while text[start - 1] != "]":
        start += len(text[start:]) - len(text[start:].lstrip())
        _, end = decoder.raw_decode(text, start)
        found.append(text[start:end])
        end += len(text[end:]) - len(text[end:].lstrip())
        start = end + 1
    return found


def extracted(name: str) -> dict[str, Any]:
    """What the golden file of a recording holds."""
    requests = []
    for recorded in posts(name):
        batch = decoded(recorded)
        rows = [[*event[:-1]] for event in batch.events[:FIRST]]
        identity = batch.identity.hex() if batch.identity else None
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
        batch = decoded(recorded)

        assert [event.raw.decode() for event in batch.events] == slices(content(recorded))
        assert batch.set_aside == []


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_per_name_are_those_of_the_recording(name: str) -> None:
    counts: Counter[str] = Counter()
    for recorded in posts(name):
        found = Counter(event.name for event in decoded(recorded).events)
        assert found == Counter(recorded.events)
        counts += found

    assert counts == fixtures.expected(name)["events"]


@pytest.mark.parametrize("name", NAMES)
def test_extraction_is_as_the_golden_file_says(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    assert json.loads(json.dumps(extracted(name))) == golden


def test_there_is_a_golden_file_for_every_recording_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_shows_its_key(name: str) -> None:
    for recorded in posts(name):
        claim = fixtures.claim(SDK, recorded)

        assert claim.secret == recorded.headers.get("statsig-api-key", recorded.request().query.get("k"))
        assert claim.secret in ("secret-acceptance0server0key", "client-acceptance0client0key")
        assert claim.kinds == {CredentialKind.STATSIG_KEY}


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_says_when_it_was_sent_and_its_times_are_kept(name: str) -> None:
    for recorded in posts(name):
        batch = decoded(recorded)

        assert batch.facts["client_time"] == sent(recorded)
        assert batch.facts["skew"] == DELAY
        assert batch.facts["quality"] == "skew"
        assert [event.time for event in batch.events] == [int(json.loads(event.raw)["time"]) for event in batch.events]


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_survives_the_log(name: str) -> None:
    """What is extracted is of types that the log's format holds, and comes back equal."""
    for recorded in posts(name):
        batch = decoded(recorded)
        entry = unpack(seal(1, pack_body("statsig", "log_event", batch.facts, batch.events)))

        assert [event[:5] for event in entry.events] == [event[:5] for event in batch.events]
        assert [event.raw for event in entry.events] == [event.raw for event in batch.events]
        # The log gives lists back as tuples.
        assert json.dumps([event.attributes for event in entry.events]) == json.dumps(
            [event.attributes for event in batch.events]
        )
        assert json.dumps(entry.facts) == json.dumps(batch.facts)


@pytest.mark.parametrize("name", ["statsig-js-legacy-5.1.0", "edge-statsig-js-legacy-5.1.0-empty-202"])
def test_no_header_is_asked_for_that_is_not_allowed(name: str) -> None:
    """Browsers' preflights pass even where what they ask for is not mirrored."""
    preflights = [recorded for recorded in fixtures.requests(name) if recorded.method == "OPTIONS"]

    assert preflights
    for recorded in preflights:
        route, _ = fixtures.route_of(SDK, Recorded("POST", recorded.target))
        assert route.cors is not None
        asked = recorded.headers["access-control-request-headers"].lower().split(",")
        allowed = {header.strip() for header in route.cors.allow_headers.split(",")}
        assert {header.strip() for header in asked} <= allowed


@pytest.mark.parametrize("name", fixtures.names("statsig-"))
def test_different_batches_and_events_have_different_identities(name: str) -> None:
    batches = [decoded(recorded) for recorded in posts(name)]
    events = [identity for batch in batches for identity in batch.event_identities or []]

    assert len({batch.identity for batch in batches}) == len(batches)
    assert len(set(events)) == len(events) == sum(len(batch.events) for batch in batches)


@pytest.mark.parametrize("name", ["edge-statsig-node-legacy-6.5.2-retry", "edge-statsig-python-legacy-0.72.1-retry"])
def test_a_batch_that_comes_again_has_the_same_identities(name: str) -> None:
    """Though its bytes differ: node's is not compressed any more, python's carries another gzip time."""
    recorded = posts(name)
    first, again, other = [decoded(each) for each in recorded]

    assert recorded[0].body != recorded[1].body
    assert first.facts["client_time"] != again.facts["client_time"]
    assert first.identity is not None
    assert first.identity == again.identity != other.identity
    assert first.event_identities == again.event_identities
    assert not set(first.event_identities or ()) & set(other.event_identities or ())


def test_a_batch_that_a_browser_sends_three_times_has_one_identity() -> None:
    found = [decoded(recorded).identity for recorded in posts("edge-statsig-js-legacy-5.1.0-empty-202")]

    assert None not in found
    assert found[0:3] == [found[0]] * 3
    assert found[3:6] == [found[3]] * 3
    assert found[0] != found[3]


def test_events_that_come_again_in_a_bigger_batch_are_recognised_one_by_one() -> None:
    first, merged = [decoded(recorded) for recorded in posts("edge-statsig-python-core-0.24.0-retry")]
    seen = set(first.event_identities or ())

    assert first.identity != merged.identity
    assert [event.name for event in merged.events] == ["second", "statsig::diagnostics", "first"]
    assert [identity in seen for identity in merged.event_identities or ()] == [False, True, True]


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for recording in NAMES:
        (GOLDEN / f"{recording}.json").write_text(written(extracted(recording)))
