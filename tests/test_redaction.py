"""This router's secrets never reach its log; every other byte does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from router.credentials import fingerprint
from router.redaction import Redactor

SECRETS = ("secret-abc", "secret-abcdef", "sdk-1.2*")


def test_a_secret_is_replaced_by_its_fingerprint() -> None:
    body = b'{"url":"https://x/specs/secret-abcdef.json","k":"sdk-1.2*"}'

    redacted = Redactor(SECRETS)(body)

    expected = f'{{"url":"https://x/specs/[redacted:{fingerprint("secret-abcdef")}].json"'
    expected += f',"k":"[redacted:{fingerprint("sdk-1.2*")}]"}}'
    assert expected.encode() == redacted


def test_a_body_without_secrets_is_the_same_object() -> None:
    body = b'{"k":"secret-ab"}'

    assert Redactor(SECRETS)(body) is body
    assert Redactor(())(body) is body


@given(st.lists(st.sampled_from(["x", "secret-", "abc", *SECRETS]), max_size=12))
def test_no_secret_survives_and_json_stays_json(parts: list[str]) -> None:
    redacted = Redactor(SECRETS)(json.dumps(parts).encode())

    json.loads(redacted)
    assert not any(secret.encode() in redacted for secret in SECRETS)


@given(st.lists(st.text("abs-", min_size=1, max_size=12), max_size=30), st.lists(st.text("abs-", max_size=30)))
def test_however_many_secrets_and_however_they_begin_none_survives(secrets: list[str], parts: list[str]) -> None:
    """The quick look for beginnings decides only what it can."""
    body = json.dumps(parts).encode()
    redacted = Redactor(secrets)(body)

    assert (redacted is body) == (not any(secret.encode() in body for secret in secrets))
