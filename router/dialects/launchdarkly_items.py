"""The fields of LaunchDarkly events that are looked at, of all kinds and schemas at once.

One lenient structure takes them all (protocols/launchdarkly.md 2), so that msgspec reads a whole post in one pass. For
events that it refuses there is a slower reader, which shrugs at what real senders get wrong: a field of another type
than documented counts as absent.
"""

import math
from typing import Any, Final, TypeAlias

import msgspec

from router.dialects.json import decode_tolerant, is_utf8

MAX_INTEGER: Final = 2**63 - 1  # what the log's msgpack holds whatever the sign
ABSENT: Final = msgspec.Raw()

Number: TypeAlias = int | float | None
Key: TypeAlias = str | int | float | None  # SDKs pass on keys that are numbers (sdk-behaviour 18)


class Named(msgspec.Struct, gc=False):
    """A user, or one of the contexts in a multi-kind one: only its key matters here."""

    key: Key = None


class Context(msgspec.Struct, gc=False):
    """A context of a single kind, or the sign of a multi-kind one."""

    kind: str | None = None
    key: Key = None


class Reason(msgspec.Struct, gc=False, rename="camel"):
    kind: str | None = None
    in_experiment: bool | None = None


class Evaluation(msgspec.Struct, gc=False):
    """The evaluation inside a migration_op."""

    key: Key = None
    variation: Number = None
    version: Number = None
    reason: Reason | None = None


class Feature(msgspec.Struct, gc=False, rename="camel"):
    """A flag's entry in a summary; `contextKinds` tells schema 4 from 3."""

    context_kinds: Any = None


class Item(msgspec.Struct, gc=False, rename="camel"):
    """The fields of any event that are looked at; the rest is skipped unread.

    `context` stays raw: reading it as a structure here would save 0.05 µs for a context of a single kind, and cost a
    second pass over the whole event, 0.9 µs, for one of several kinds, whose fields are the kinds.
    """

    kind: str | None = None
    creation_date: Number = None
    key: Key = None
    context: msgspec.Raw = ABSENT
    context_keys: dict[str, Key] | None = None
    user: Named | None = None
    user_key: Key = None
    previous_key: Key = None
    variation: Number = None
    version: Number = None
    reason: Reason | None = None
    evaluation: Evaluation | None = None
    features: dict[str, Feature] | None = None
    end_date: Number = None


_ITEMS: Final = msgspec.json.Decoder(list[Item])
_ITEM: Final = msgspec.json.Decoder(Item)
_CONTEXT: Final = msgspec.json.Decoder(Context | None)
_MULTI: Final = msgspec.json.Decoder(dict[str, str | int | float | bool | Named | None])


def read_items(body: bytes) -> list[Item] | None:
    """The items of a JSON array, all in one pass; None where a single one of them does not lend itself to that."""
    if not is_utf8(body):
        return None
    try:
        return _ITEMS.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def read_item(element: bytes) -> Item | None:
    """The item of one event's JSON; None where that is no object.

    Raises:
        ValueError: it cannot be read even with tolerance (`decode_tolerant`).
    """
    if is_utf8(element):
        try:
            return _ITEM.decode(element)
        except (msgspec.DecodeError, RecursionError):
            pass  # the tolerant reader does better, or says why not
    return lenient(decode_tolerant(element))


def text_of(key: Key) -> str:
    """A key as text; the empty text where there is none. A whole number is written without a point, as JSON would."""
    if type(key) is str:
        return key
    if key is None:
        return ""
    if isinstance(key, float) and key.is_integer() and abs(key) < MAX_INTEGER:
        return str(int(key))
    return str(key)


def context_names(raw: msgspec.Raw) -> tuple[str, ...]:
    """`kind:key` of each context in a context object; one without a kind is a user (protocols/launchdarkly.md 2.0).

    Empty where it is null, or not as documented: the event is kept, only whom it is about cannot be told.
    """
    try:
        context = _CONTEXT.decode(raw)
        if context is None:
            return ()
        if context.kind == "multi":
            keys = [(kind, each.key) for kind, each in _MULTI.decode(raw).items() if type(each) is Named]
            return tuple([f"{kind}:{text}" for kind, key in keys if (text := text_of(key))])
    except (msgspec.DecodeError, RecursionError):
        return ()
    text = context.key if type(context.key) is str else text_of(context.key)
    return (f"{context.kind or 'user'}:{text}",) if text else ()


def lenient(value: object) -> Item | None:
    """What can be used of an event that is not as documented; None where it is no object."""
    if not isinstance(value, dict):
        return None
    evaluation = value.get("evaluation")
    context_keys = value.get("contextKeys")
    features = value.get("features")
    kind = value.get("kind")
    return Item(
        kind=kind if isinstance(kind, str) else None,
        creation_date=_number(value.get("creationDate")),
        key=_key(value.get("key")),
        context=_context(value.get("context")),
        context_keys={of: _key(key) for of, key in context_keys.items()} if isinstance(context_keys, dict) else None,
        user=_named(value.get("user")),
        user_key=_key(value.get("userKey")),
        previous_key=_key(value.get("previousKey")),
        variation=_number(value.get("variation")),
        version=_number(value.get("version")),
        reason=_reason(value.get("reason")),
        evaluation=None
        if not isinstance(evaluation, dict)
        else Evaluation(
            _key(evaluation.get("key")),
            _number(evaluation.get("variation")),
            _number(evaluation.get("version")),
            _reason(evaluation.get("reason")),
        ),
        features={flag: _feature(entry) for flag, entry in features.items()} if isinstance(features, dict) else None,
        end_date=_number(value.get("endDate")),
    )


def _number(value: object) -> Number:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _key(value: object) -> Key:
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return str(value)
    return value if isinstance(value, str) else _number(value)


def _context(value: object) -> msgspec.Raw:
    """The parts of a context that matter, as JSON once more: free of whatever msgspec refused in the event."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("kind"), str | None):
        return ABSENT
    context: dict[str, object] = {"kind": kind, "key": _key(value.get("key"))}
    if kind == "multi":
        context = {of: {"key": _key(each.get("key"))} for of, each in value.items() if isinstance(each, dict)}
        context["kind"] = kind
    return msgspec.Raw(msgspec.json.encode(context))


def _named(value: object) -> Named | None:
    return Named(_key(value.get("key"))) if isinstance(value, dict) else None


def _reason(value: object) -> Reason | None:
    if not isinstance(value, dict):
        return None
    kind = value.get("kind")
    return Reason(kind if isinstance(kind, str) else None, value.get("inExperiment") is True)


def _feature(value: object) -> Feature:
    return Feature(value.get("contextKinds") if isinstance(value, dict) else None)
