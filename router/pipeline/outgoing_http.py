"""To anything else: a webhook of CloudEvents batches, signed.

The body is a CloudEvents 1.0 JSON batch with the attributes of the stream's `format=cloudevents`. With a token each
request carries `X-Hub-Signature-256: sha256=HEX`, the HMAC-SHA-256 of the body under the token (W3C WebSub, section
7.1; the form is GitHub's). `Router-Payload-Id` is equal for a repeat of the same batch, an event's `id` for one of it.
"""

import hashlib
import hmac

from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Verdict, judge
from router.pipeline.outgoing import AGENT, Post, payload_id
from router.pipeline.outgoing_router import CONTENT_TYPE, batch
from router.pipeline.selection import Selection
from router.records import Entry, Event

SIGNATURE = "X-Hub-Signature-256"


class ToHttp:
    """url: where batches are posted to. token: the secret of the signatures; None for none."""

    in_flight = 1  # in order: the receiver may be a plain file
    entries = 512
    size = 256 * 1024
    linger = 0.2

    def __init__(self, url: str, token: str | None, environment: EnvironmentName) -> None:
        self._url = url
        self._token = token
        self._environment = environment

    def wanted(self, entry: Entry, event: Event) -> bool:
        return True

    def build(self, selection: Selection, now: int) -> Post:
        body = batch(self._environment, selection, whole=False)
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("User-Agent", AGENT),
            ("Router-Payload-Id", payload_id(selection)),
        ]
        if self._token is not None:
            headers.append((SIGNATURE, f"sha256={signature(self._token, body)}"))
        return Post(self._url, tuple(headers), body)

    def judge(self, answer: Answer, now: int) -> Verdict:
        return judge(answer, now)


def signature(token: str, body: bytes) -> str:
    """HMAC-SHA-256 of `body` under `token`, in hex."""
    return hmac.new(token.encode("utf-8", "surrogateescape"), body, hashlib.sha256).hexdigest()
