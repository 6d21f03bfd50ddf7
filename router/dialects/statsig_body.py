"""From a Statsig body as sent to its envelope: unpacked, and the events parted from what is said of all of them.

Nothing is believed of `Content-Type`, and `Content-Encoding` is not needed: browsers send gzip without it, and proxies
unpack bodies and leave it (protocols/statsig-and-others.md 0.5, 1.3).
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from router.dialects.dialect import Request
from router.dialects.inflate import GZIP_MAGIC, MAX_RATIO, ZSTD_MAGIC, gunzip, inflate, unzstd
from router.dialects.json import decode_tolerant, is_utf8, split_array, split_member, split_object, trim
from router.dialects.statsig_items import Item
from router.errors import Fault, Rejected

_LAYERS: Final = 2  # an SDK's own gzip, and a proxy's around it
_NAMES: Final = ("eventName", "event", "experimentName", "gateName")


class _Typed(msgspec.Struct, gc=False, rename="camel"):
    """An envelope and its events, as far as they are looked at (2.1)."""

    events: list[Item] | None = None
    user: Any = None
    client_time: Any = None
    statsig_metadata: Any = None
    sdk_type: Any = None
    sdk_version: Any = None


class _Exact(msgspec.Struct, gc=False):
    """The same with the events as sent."""

    events: list[msgspec.Raw]


_TYPED: Final = msgspec.json.Decoder(_Typed)
_EXACT: Final = msgspec.json.Decoder(_Exact)


@dataclass(slots=True)
class Envelope:
    """A post taken apart.

    raws: its events, each as sent.
    items: what is looked at in each of `raws`; None where they have to be read one by one.
    others: the envelope's other members, decoded: `user`, `clientTime`, `statsigMetadata`, `sdkType`, `sdkVersion`.
    """

    raws: list[bytes]
    items: list[Item] | None = None
    others: dict[str, object] = field(default_factory=dict)


def unpack(request: Request, max_inflated: int, max_ratio: int = MAX_RATIO) -> bytes:
    """The JSON text of a body: decompressed, and decoded where the sender says `se=1` (1.3).

    Raises:
        Rejected: it is broken, or larger than `max_inflated` bytes.
    """
    body = request.body
    for _ in range(_LAYERS):
        if body.startswith(GZIP_MAGIC):
            body = gunzip(body, max_inflated, max_ratio)
        elif body.startswith(ZSTD_MAGIC):
            body = unzstd(body, max_inflated, max_ratio)
        else:
            break
    encoded = request.query.get("se") == "1" or request.headers.get("statsig-encoded") == "1"
    text = trim(body)
    if body is request.body and not encoded and not text.startswith((b"{", b"[")):
        # zlib data has no magic bytes, only the header to go by; gz=1 means the gzip that was looked for.
        coding = request.headers.get("content-encoding", "") or ("gzip" if request.query.get("gz") == "1" else "")
        text = trim(inflate(body, coding, max_inflated, max_ratio))
    if len(text) > max_inflated:
        raise Rejected(Fault.MALFORMED, f"the body has more than {max_inflated} bytes: send smaller batches")
    if encoded and not text.startswith((b"{", b"[")):
        try:
            text = trim(base64.b64decode(text[::-1], validate=True))
        except (binascii.Error, ValueError) as error:
            message = f"the body is no reversed base64 although the request says so: {error}"
            raise Rejected(Fault.MALFORMED, message) from error
    return text


def open_envelope(text: bytes) -> Envelope:
    """The envelope around an `events` array; one event, or a bare array, stands for such an envelope (3.1).

    text: as `unpack` returns it.

    Raises:
        ValueError: it is not JSON, or holds no events.
    """
    if text.startswith(b"{") and is_utf8(text):
        try:
            typed = _TYPED.decode(text)
            if typed.events is not None:
                raws = list(map(bytes, _EXACT.decode(text).events))
                return Envelope(raws, typed.events, _others(typed))
        except (msgspec.DecodeError, RecursionError):
            pass  # something in it is odd: it is taken apart piece by piece
    return open_members(text, "events")


def open_members(text: bytes, name: str) -> Envelope:
    """The same for events under another name, and for bodies that the quick way refuses; leaves `items` None.

    Raises:
        ValueError: as `open_envelope`.
    """
    if text.startswith(b"["):
        return Envelope(split_array(text))
    elements, members = split_member(text, name)
    if elements is None:
        if any(own in members for own in _NAMES):
            elements = [text]
        elif name in split_object(text):
            elements = []  # null, which Go makes of an empty list
        else:
            raise ValueError(f"no member {name!r}: send the events in it, as an array")
    return Envelope(elements, None, decoded(members))


def decoded(members: dict[str, bytes]) -> dict[str, object]:
    """The envelope's members as values; one that cannot be read is left out: it is no reason to lose the events."""
    found: dict[str, object] = {}
    for name in ("user", "clientTime", "statsigMetadata", "sdkType", "sdkVersion"):
        if name in members:
            try:
                found[name] = decode_tolerant(members[name])
            except ValueError:
                continue
    return found


def _others(typed: _Typed) -> dict[str, object]:
    return {
        "user": typed.user,
        "clientTime": typed.client_time,
        "statsigMetadata": typed.statsig_metadata,
        "sdkType": typed.sdk_type,
        "sdkVersion": typed.sdk_version,
    }
