"""Webhooks of strangers: forged, altered, of another vendor, old, and delivered again."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.process import RouterProcess, router

SECRET = b"whsec-demo"
ITEM = {"action": "updated", "flag": "f", "change_id": "c-1", "created_at": 1_700_000_000_000, "created_by": "me"}
CHANGE = json.dumps({"data": [ITEM]}).encode()


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with router() as running:
        yield running


def signature(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def deliver(process: RouterProcess, vendor: str, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{process.url}/webhooks/{vendor}", body, named)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def head(process: RouterProcess) -> int:
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        return int(json.load(answer)["environments"][0]["head"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha256=" + signature(CHANGE, b"whsec-other"),
        "sha256=" + signature(CHANGE + b" "),
        "sha256=" + signature(CHANGE)[:-1],
        "sha1=" + signature(CHANGE),
        signature(CHANGE)[:32] + "\xff",
        "sha256=\xff\xfe",
    ],
)
def test_wrong_signatures_change_nothing(process: RouterProcess, header: str) -> None:
    before = head(process)

    assert deliver(process, "generic", CHANGE, X_Hub_Signature_256=header) == 401
    assert head(process) == before


def test_a_signature_for_one_vendor_is_none_for_another(process: RouterProcess) -> None:
    before = head(process)
    signed = signature(CHANGE)

    assert deliver(process, "statsig", CHANGE, X_Hub_Signature_256=f"sha256={signed}", X_LD_Signature=signed) == 401
    assert head(process) == before


def test_a_replayed_delivery_is_stored_once(process: RouterProcess) -> None:
    before = head(process)
    for _ in range(3):
        assert deliver(process, "generic", CHANGE, X_Hub_Signature_256=f"sha256={signature(CHANGE)}") == 200

    assert head(process) == before + 1


def test_an_old_signature_is_none_where_the_vendor_signs_the_time(process: RouterProcess) -> None:
    before = head(process)
    body = b'{"data":[]}'
    old = str(round((time.time() - 3600) * 1000))
    signed = "v0=" + signature(f"v0:{old}:".encode() + body)

    answer = deliver(process, "statsig", body, X_Statsig_Signature=signed, X_Statsig_Request_Timestamp=old)
    assert (answer, head(process)) == (401, before)
