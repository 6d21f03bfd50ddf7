"""The failures that a caller tells apart. Everything else is a builtin exception."""

from enum import StrEnum


class Fault(StrEnum):
    """Why a request is refused; each dialect turns a fault into the status its own SDKs survive."""

    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_CLIENT = "unknown_client"
    MALFORMED = "malformed"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"


class Rejected(Exception):
    """The request itself is at fault: the same bytes would be refused again.

    Raised by dialects and by authentication; nothing of the request has been stored.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


class Busy(Exception):
    """The request is fine but there is no room for it now; nothing of it has been stored.

    `retry_after` is the number of seconds after which another try makes sense.
    """

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class Interrupted(Exception):
    """The answer got lost with the actor that was to give it: the work may or may not have been done.

    A sender repeats the request with the same identity and deduplication sorts it out.
    """


class Fatal(Exception):
    """The process can no longer keep its promises and must exit; never retried, never restarted inside the process."""
