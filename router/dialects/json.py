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

BOM: Final = b"\xef\xbb\xbf"
_WHITESPACE: Final = b" \t\r\n"
_NULL: Final = memoryview(b"null")
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")
_COMMA: Final = ord(",")
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


def _spans(text: bytes, opening: str) -> list[tuple[int, int]]:
    """Where the elements of the array, or the members of the object, that is `text` begin and end."""
    noun = "array" if opening == "[" else "object"
    if not text.startswith(opening.encode()):
        raise ValueError(f"not a JSON {noun}: it begins with {text[:8]!r}")
    spans: list[tuple[int, int]] = []
    depth = 0
    begin = 1
    for token in _TOKEN.finditer(text):
        mark = text[token.start()]
        if mark == _COMMA:
            if depth == 1:
                spans.append((begin, token.start()))
                begin = token.end()
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
