"""Keeping this router's own secrets out of its log: some SDKs send the key they were given inside an event.

Statsig's server cores log the URL of their configuration, which holds the secret key
(shared protocol notes, sdk-behaviour, "What they send", 10).
"""

import re
from collections.abc import Iterable

from router.credentials import fingerprint


class Redactor:
    """Replaces each of `secrets` in a body by `[redacted:<fingerprint>]`; leaves every other byte alone.

    A body without any is returned as it is, the same object.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first: a secret that begins with another one is replaced whole.
        ordered = sorted({secret.encode() for secret in secrets if secret}, key=len, reverse=True)
        self._marks = {secret: f"[redacted:{fingerprint(secret.decode())}]".encode() for secret in ordered}
        self._pattern = re.compile(b"|".join(re.escape(secret) for secret in ordered)) if ordered else None

    def __call__(self, body: bytes) -> bytes:
        if self._pattern is None or not self._pattern.search(body):
            return body
        return self._pattern.sub(lambda match: self._marks[match[0]], body)
