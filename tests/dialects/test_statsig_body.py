"""Statsig bodies as sent: encodings, envelopes, and what stands for one."""

import base64
import gzip
import json
import sys
import zlib
from typing import Any, Final

import pytest

from router.dialects.dialect import Batch, Bounds, Dialect
from router.dialects.statsig import Statsig
from router.dialects.statsig_body import open_envelope, unpack
from router.errors import Fault, Rejected
from tests.dialects.fixtures import Recorded, decode
from tests.dialects.test_statsig import EVENT, enveloped, posted

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SDK: Final[Dialect] = Statsig()
TEXT: Final = json.dumps(enveloped(EVENT)).encode()
ENCODED: Final = base64.b64encode(TEXT)[::-1]
RGSTR: Final = "/v1/rgstr"


def zipped(text: bytes) -> bytes:
    """Two gzip members, as some proxies write it."""
    return gzip.compress(text[:10]) + gzip.compress(text[10:])


@pytest.mark.parametrize(
    "recorded",
    [
        posted(RGSTR, TEXT),
        posted(RGSTR, TEXT, content_type="text/plain;charset=UTF-8"),
        posted(RGSTR, b"\xef\xbb\xbf \n" + TEXT + b"\r\n"),
        posted(RGSTR, TEXT, content_encoding="utf-8"),
        posted(RGSTR, gzip.compress(TEXT), content_encoding="gzip"),
        posted(RGSTR, gzip.compress(TEXT), content_encoding="GZIP"),
        posted(RGSTR, gzip.compress(TEXT)),
        posted(RGSTR + "?gz=1", gzip.compress(TEXT)),
        posted(RGSTR + "?gz=1", TEXT),
        posted(RGSTR, gzip.compress(TEXT), content_encoding="identity"),
        posted(RGSTR, gzip.compress(TEXT), content_encoding="zstd"),
        posted(RGSTR, zipped(TEXT)),
        posted(RGSTR, TEXT, content_encoding="gzip"),
        posted(RGSTR, zlib.compress(TEXT), content_encoding="deflate"),
        posted(RGSTR + "?gz=1", zlib.compress(TEXT)),
        posted(RGSTR, zstd.compress(TEXT), content_encoding="zstd"),
        posted(RGSTR, zstd.compress(TEXT)),
        posted(RGSTR, zstd.compress(TEXT), content_encoding="gzip"),
        posted(RGSTR + "?gz=1", gzip.compress(gzip.compress(TEXT)), content_encoding="gzip"),
        posted(RGSTR, gzip.compress(zstd.compress(TEXT))),
        posted(RGSTR + "?se=1", ENCODED),
        posted(RGSTR + "?se=1&gz=1", gzip.compress(ENCODED)),
        posted(RGSTR + "?se=1", zstd.compress(ENCODED)),
        posted(RGSTR + "?se=1", TEXT),
        posted(RGSTR, ENCODED, statsig_encoded="1"),
        posted(RGSTR, TEXT, statsig_encoded="0"),
    ],
)
def test_every_encoding_is_read_whatever_is_said_of_it(recorded: Recorded) -> None:
    assert unpack(recorded.request(), 10_000) == TEXT
    assert [event.name for event in decode(SDK, recorded).events] == ["purchase"]


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (posted(RGSTR), "empty"),
        (posted(RGSTR, b" \n"), "empty"),
        (posted(RGSTR, b"", content_encoding="gzip"), "empty"),
        (posted(RGSTR, gzip.compress(b"")), "empty"),
        (posted(RGSTR, gzip.compress(TEXT)[:-9]), "cut short"),
        (posted(RGSTR, b"\x1f\x8b" + TEXT), "not gzip"),
        (posted(RGSTR, b"text", content_encoding="gzip"), "not gzip"),
        (posted(RGSTR + "?gz=1", b"text"), "not gzip"),
        (posted(RGSTR, b"\x28\xb5\x2f\xfd" + TEXT), "not zstd"),
        (posted(RGSTR, zstd.compress(TEXT)[:-9]), "cut short"),
        (posted(RGSTR, b"text", content_encoding="br"), "not spoken"),
        (posted(RGSTR + "?se=1", b"!" + ENCODED), "base64"),
        (posted(RGSTR + "?se=1", base64.b64encode(TEXT)), "base64"),
        (posted(RGSTR, b"text"), "begins with"),
        (posted(RGSTR, b'"text"'), "begins with"),
        (posted(RGSTR, b"5"), "begins with"),
        (posted(RGSTR, b"null"), "begins with"),
        (posted(RGSTR, TEXT[:-1]), "cut short"),
        (posted(RGSTR, TEXT + b"]"), "goes on"),
        (posted(RGSTR, gzip.compress(gzip.compress(gzip.compress(TEXT)))), "begins with"),
        (posted(RGSTR, {}), "no member 'events'"),
        (posted(RGSTR, {"events": {}}), "member 'events'"),
        (posted(RGSTR, {"events": "text"}), "member 'events'"),
        (posted(RGSTR, b'{"events":[x]}'), "none of its events"),
        (posted(RGSTR, b'{"events":[{"eventName":"e"'), "cut short"),
        (posted("/v1/log_custom_exposure", enveloped(EVENT)), "no member 'exposures'"),
        (posted("/v1/sdk_exception", b"[]"), "not a JSON object"),
        (posted("/v1/sdk_exception", b"{"), "not JSON"),
    ],
)
def test_what_is_no_body_is_refused_with_a_reason(recorded: Recorded, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        decode(SDK, recorded)

    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b" " * 2000 + TEXT[1:],
        gzip.compress(b"{" + b" " * 2000 + TEXT[1:], mtime=0),
        zstd.compress(b"{" + b" " * 2000 + TEXT[1:]),
        gzip.compress(gzip.compress(b"{" + b" " * 2000 + TEXT[1:], mtime=0), mtime=0),
        b"x" * 2000,
    ],
)
def test_no_body_becomes_larger_than_the_bound(body: bytes) -> None:
    with pytest.raises(Rejected, match="more than 1000 bytes") as caught:
        decode(SDK, posted(RGSTR, body), bounds=Bounds(max_inflated=1000))

    assert caught.value.fault is Fault.MALFORMED


def raws(body: object, target: str = RGSTR) -> list[bytes]:
    return [event.raw for event in decode(SDK, posted(target, body)).events]


ODD: Final = b'{ "eventName" :"e",  "time":1784700000000.50, "value":1e2,"user":{"userID":"\xc3\xa9\\u00e9"} }'
ROUTES: Final = [RGSTR, "/v1/log_event", "/v1/webhooks/event_webhook", "/rgstr_b", "/v1/log_event/cf_log_drain"]


@pytest.mark.parametrize("target", ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"events":[' + ODD + b"]}",
        b'{"events": [ \n' + ODD + b'\t ] , "user":{}}',
        b'{"statsigMetadata":{"events":[]},"events":[' + ODD + b"]}",
        b'{"events":[],"events":[' + ODD + b"]}",
        b"[" + ODD + b"]",
        b" [ " + ODD + b" ] ",
        ODD,
        b"\n" + ODD + b"\n",
    ],
)
def test_an_event_is_kept_exactly_as_sent_in_every_envelope(target: str, body: bytes) -> None:
    assert raws(body, target) == [ODD]


@pytest.mark.parametrize("body", [{"events": []}, {"events": None}, [], {"events": [], "user": None}])
def test_an_empty_batch_is_none_to_refuse(body: object) -> None:
    """Go writes null for an empty list."""
    batch = decode(SDK, posted(RGSTR, body))

    assert (batch.events, batch.set_aside) == ([], [])


def test_a_batch_that_cannot_be_read_in_one_pass_says_the_same_of_its_sender() -> None:
    envelope = enveloped(EVENT, user={"userID": "u-1"}, clientTime="1784700000000", statsigMetadata={"sessionID": "s"})
    quick = json.dumps(envelope).encode()
    slow = quick.replace(b'"events": [', b'"events": [{"eventName":"odd","value":NaN},')

    def found(body: bytes) -> tuple[Batch, dict[str, Any]]:
        batch = decode(SDK, posted(RGSTR, body), received=1_784_700_000_000)
        return batch, batch.facts

    assert open_envelope(quick).items is not None
    assert open_envelope(slow).items is None
    assert found(quick)[1] == found(slow)[1]
    assert found(quick)[0].events[0] == found(slow)[0].events[1]


@pytest.mark.parametrize("member", ["user", "statsigMetadata", "clientTime", "sdkType"])
@pytest.mark.parametrize("value", [b"nonsense", b'"\xff"', b"[" * 5000 + b"]" * 5000, b"5", b"[]", b"true", b'"x"'])
def test_an_envelope_that_is_odd_does_not_cost_its_events(member: str, value: bytes) -> None:
    body = b'{"%s":%s,"events":[{"eventName":"e"}]}' % (member.encode(), value)

    assert raws(body) == [b'{"eventName":"e"}']
