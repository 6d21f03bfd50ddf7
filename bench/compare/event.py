"""The event that every candidate is given: a LaunchDarkly evaluation of 214 bytes."""

MARK = "~at"
"""What the load generator puts the time after: 19 digits of CLOCK_MONOTONIC in ns. No URL escapes a character of it."""

TEMPLATE = (
    '{"kind":"feature","creationDate":1767225600123,"key":"checkout-v2","version":17,"variation":1,"value":"blue",'
    '"default":"red","context":{"kind":"user","key":"user-%04d","plan":"pro","sent":"' + MARK + "0" * 19 + '"}}'
)


def events(count: int) -> list[bytes]:
    """`count` events, each of a user of its own."""
    return [(TEMPLATE % number).encode() for number in range(count)]


def array(count: int) -> bytes:
    """`count` events as a JSON array."""
    return b"[" + b",".join(events(count)) + b"]"
