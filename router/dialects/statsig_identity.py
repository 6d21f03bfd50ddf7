"""What tells a resent Statsig batch or event from a new one: nothing but their content, as none carries an id.

A retry was measured to hold the same bytes in each event, whatever changes around them: compression, headers,
statsigMetadata, client time, the URL, the other events of the batch (protocols/sdk-behaviour.md, "Identity of a
retry"). So an event's bytes are hashed as they are: putting its JSON into a canonical form first would cost 1.3 µs an
event more, for spaces and orders of members that no SDK was seen to change.
"""

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

_BYTES: Final = 16  # 128 bits: a chance of 10^-17 for any two of 10^11 events to be taken for one
# A copy of a fresh hash costs 0.52 µs with an event of 300 bytes, a constructor with the same arguments 0.67.
_EVENT: Final = blake2b(digest_size=_BYTES, person=b"statsig event")
_BATCH: Final = blake2b(digest_size=_BYTES, person=b"statsig batch")
_SESSION: Final = blake2b(digest_size=_BYTES, person=b"statsig session")


def identities(
    raws: list[bytes], session: str, untimed: Collection[int], sent: int | None
) -> tuple[bytes | None, list[bytes] | None]:
    """The identity of a batch by its events alone, and those of its events, each within the sender's session.

    Equal events of one batch are counted among themselves, so that all of them survive, in whichever order and company
    they come again (protocols/statsig-and-others.md 6.4).

    An event that does not say when it happened cannot be told from the next one like it. So such an event is
    recognised only in company of its whole batch, and a batch of nothing else by its send time too, or not at all:
    rather a duplicate than a loss.

    raws: the events' JSON as received.
    session: the sender's session id, empty where it gives none.
    untimed: indexes in `raws` of the events without a time of their own.
    sent: send time of the request in unix ms, by the sender's clock.

    Returns:
        the batch's identity and one identity for each event; None and None where nothing is recognisable.
    """
    timeless = len(untimed) == len(raws)
    if not raws or (timeless and sent is None):
        return None, None
    fresh = _EVENT.copy
    digests: list[bytes] = []
    for raw in raws:
        event = fresh()
        event.update(raw)
        digests.append(event.digest())
    if len(set(digests)) < len(digests):
        _count_equals(digests)
    batch = _BATCH.copy()
    batch.update(b"".join(digests))
    if timeless:
        batch.update(f"sent {sent}".encode())
    identity = batch.digest()
    for index in untimed:
        event = fresh()
        event.update(digests[index] + identity)
        digests[index] = event.digest()
    scope = _SESSION.copy()
    scope.update(session.encode("utf-8", "replace"))
    # Both are evenly spread, so their sum without carry is; hashing them together would cost 0.5 µs an event more.
    mask = int.from_bytes(scope.digest(), "big")
    return identity, [(int.from_bytes(digest, "big") ^ mask).to_bytes(_BYTES, "big") for digest in digests]


def _count_equals(digests: list[bytes]) -> None:
    """Gives the second, third, … of equal digests one of its own, by its number among them."""
    seen: dict[bytes, int] = {}
    for index, digest in enumerate(digests):
        ordinal = seen.get(digest, 0)
        seen[digest] = ordinal + 1
        if ordinal:
            event = _EVENT.copy()
            event.update(digest + ordinal.to_bytes(4, "big"))
            digests[index] = event.digest()
