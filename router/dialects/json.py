"""JSON taken apart without being re-encoded: the exact bytes of each element, whatever state its neighbours are in.

The quick way is msgspec, which reads a whole document or none of it. Where it refuses one (a `NaN`, a lone surrogate, a
broken number in a single event), a scanner that knows only strings and brackets finds the elements instead, so that the
caller can judge each on its own. The scanner is iterative and linear: depth costs it nothing, and no input makes it
backtrack.

What holds on both ways: elements come in order; each is a slice of the input as sent, less the whitespace around it;
nothing is lost between them. What does not: that an element is good JSON, or text at all. The caller finds out by
decoding it (`decode_tolerant`, or msgspec).
"""

import json
import re
from typing import Final, cast

import msgspec

from router.errors import Fault, Rejected

BOM: Final = b"\xef\xbb\xbf"
VALUES_PER_EVENT: Final = 20  # commas that an event may have on average, in a body at the limit of events
MAX_TOKENS: Final = 500_000  # that are looked at in a body that is not JSON: 80 ms (measured)
_SMALLER: Final = "send smaller batches"
_WHITESPACE: Final = b" \t\r\n"
_NULL: Final = memoryview(b"null")
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")
_COMMA: Final = ord(",")
_ARRAY_BEGINS: Final = ord("[")
_QUOTE: Final = ord('"')
_CLOSED_BY: Final = {ord("["): ord("]"), ord("{"): ord("}")}

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

# Possessive, so that a string without an end fails in one pass; its quote then matches alone and is recognised.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_MEMBER: Final = re.compile(rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:', re.DOTALL)
# Every escape is matched, so that the backslash of `\\ud800` is not taken for the start of a surrogate.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def trim(body: bytes) -> bytes:
    """`body` without a byte order mark and without the whitespace around it; the same object where it has neither."""
    return body.removeprefix(BOM).strip(_WHITESPACE)


def is_utf8(body: bytes) -> bool:
    """Whether `body` is UTF-8 throughout. msgspec does not look inside the strings it skips (measured, 0.22)."""
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def split_array(body: bytes | msgspec.Raw) -> list[bytes]:
    """The elements of the JSON array `body`, each as sent; see the module for what holds of them.

    Where the array itself is at fault but its end can be found, its good elements survive: nothing between two commas
    is an element of no bytes.

    Raises:
        ValueError: it is no array, is cut short, or goes on after its end.
    """
    try:
        return list(map(bytes, _ARRAY.decode(body)))
    except (msgspec.DecodeError, RecursionError):
        text = trim(bytes(body))
        return [text[begin:end].strip(_WHITESPACE) for begin, end in _spans(text, "[")]


def split_object(body: bytes) -> dict[str, bytes]:
    """The members of the JSON object `body`, each value as sent; of members with one name the last wins.

    Raises:
        ValueError: it is no object, is cut short, goes on after its end, or has a member without a name.
    """
    try:
        return {name: bytes(value) for name, value in _OBJECT.decode(body).items()}
    except (msgspec.DecodeError, RecursionError):
        return _scan_object(trim(body))


def split_member(body: bytes, name: str) -> tuple[list[bytes] | None, dict[str, bytes]]:
    """The elements of the array that the JSON object `body` holds as `name`, and its other members as sent.

    The elements are None where there is no such member, or it is null.

    Raises:
        ValueError: `body` is no object (see `split_object`), or the member is no array (see `split_array`).
    """
    members: dict[str, bytes] | dict[str, msgspec.Raw]
    try:
        members = _OBJECT.decode(body)
    except (msgspec.DecodeError, RecursionError):
        members = _scan_object(trim(body))
    array = members.pop(name, None)
    others = {other: bytes(value) for other, value in members.items()}
    if array is None or memoryview(array) == _NULL:
        return None, others
    try:
        return split_array(array), others
    except ValueError as error:
        raise ValueError(f"member {name!r}: {error}") from error


def decode_tolerant(element: bytes) -> object:
    """The value of one JSON text, with what real encoders get wrong: `NaN`, `Infinity`, and lone surrogates.

    A lone surrogate becomes U+FFFD, so that every string of the result can be encoded as UTF-8. Costs about ten times
    what msgspec does: for what msgspec has refused.

    Raises:
        ValueError: it is not JSON even so, not UTF-8, or nested deeper than the interpreter's stack.
    """
    try:
        text = element.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from error
    if "\\u" in text:
        text = _ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] else escape[0], text)
    try:
        return cast("object", json.loads(text))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg.lower()} at character {error.pos}") from error
    except ValueError as error:
        raise ValueError("an integer has more digits than the interpreter converts") from error


def bound_count(body: bytes, most: int) -> None:
    """Refuse a body with more than `most` events before anything is made of them: `{}` takes three bytes as sent and
    a hundred times that in memory. Costs nothing for a body too small to hold so many.

    Raises:
        Rejected: an array in it, at its top or a member of the object at its top, has more than `most` elements; or it
            has so many commas that to find out would take too long.
    """
    if len(body) < most or (commas := body.count(b",")) < most:
        return
    if commas >= VALUES_PER_EVENT * most:
        raise Rejected(Fault.MALFORMED, f"the body has more than {VALUES_PER_EVENT * most} values: {_SMALLER}")
    if _largest(body, most) > most:
        raise Rejected(Fault.MALFORMED, f"the body has more than {most} events: {_SMALLER}")


def deeper_than(element: bytes, levels: int) -> bool:
    """Whether a JSON text nests deeper than `levels` arrays and objects within each other."""
    if element.count(b"{") + element.count(b"[") <= levels:
        return False
    depth = 0
    for token in _TOKEN.finditer(element):
        mark = element[token.start()]
        if mark in _OPENING:
            depth += 1
            if depth > levels:
                return True
        elif mark in _CLOSING:
            depth -= 1
    return False


def _largest(body: bytes, most: int) -> int:
    """Elements of the largest array at the top of `body` or just below; not exact beyond `most`, nor for what cannot be
    read at all, which others refuse."""
    try:
        if not body.startswith(b"{"):
            return len(_ARRAY.decode(body))
        members = [member for member in _OBJECT.decode(body).values() if memoryview(member)[0] == _ARRAY_BEGINS]
        return max((len(_ARRAY.decode(member)) for member in members), default=0)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        if not body.startswith(b"{"):
            return len(_spans(body, "[", most))
        arrays = [value for value in _scan_object(body).values() if value.startswith(b"[")]
        return max((len(_spans(array, "[", most)) for array in arrays), default=0)
    except ValueError:
        return 0


def _scan_object(text: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for begin, end in _spans(text, "{"):
        match = _MEMBER.match(text, begin, end)
        if match is None:
            if not text[begin:end].strip(_WHITESPACE):  # a comma too many costs nothing
                continue
            raise ValueError(f"the object has a member without a name at byte {begin}")
        members[str(decode_tolerant(match[1]))] = text[match.end() : end].strip(_WHITESPACE)
    return members


def _spans(text: bytes, opening: str, most: int | None = None) -> list[tuple[int, int]]:
    """Where the elements of the array, or the members of the object, that is `text` begin and end; no more than
    `most` and one."""
    noun = "array" if opening == "[" else "object"
    if not text.startswith(opening.encode()):
        raise ValueError(f"not a JSON {noun}: it begins with {text[:8]!r}")
    spans: list[tuple[int, int]] = []
    depth = 0
    begin = 1
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count > MAX_TOKENS:
            raise ValueError(f"the {noun} is not JSON, and has more than {MAX_TOKENS} parts: {_SMALLER}")
        mark = text[token.start()]
        if mark == _COMMA:
            if depth == 1:
                spans.append((begin, token.start()))
                begin = token.end()
                if most is not None and len(spans) > most:
                    return spans
        elif mark in _OPENING:
            depth += 1
        elif mark in _CLOSING:
            depth -= 1
            if depth == 0:
                return _finish(text, spans, begin, token.start(), noun)
        elif mark == _QUOTE and token.end() - token.start() == 1:
            raise ValueError(f"the {noun} is cut short: the string at byte {token.start()} has no end")
    raise ValueError(f"the {noun} is cut short: it has no end within its {len(text)} bytes")


def _finish(text: bytes, spans: list[tuple[int, int]], begin: int, end: int, noun: str) -> list[tuple[int, int]]:
    if text[end] != _CLOSED_BY[text[0]]:
        raise ValueError(f"the {noun} is closed by {chr(text[end])!r} at byte {end}")
    if end + 1 != len(text):
        raise ValueError(f"the {noun} ends at byte {end}, but the text goes on")
    if spans or text[begin:end].strip(_WHITESPACE):
        spans.append((begin, end))
    return spans
