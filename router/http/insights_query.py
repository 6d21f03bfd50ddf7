"""The parameters of the insights endpoints: their defaults, their limits, and all that is wrong with them at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from router.http.stream_query import moment
from router.units import duration

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
WEEK: Final = 7 * 24 * 3600 * 1000  # ms
DAY: Final = 24 * 3600 * 1000
MINUTE: Final = 60_000
MOST_STEPS: Final = 1500  # points of one series in one answer
SIZES: Final = ("none", "small", "medium", "large")
MAX_TIME: Final = 2**53


class Invalid(Exception):
    """Parameters that cannot be used; `errors` are pairs of attribute and reason."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{attribute} {reason}" for attribute, reason in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class EventsQuery:
    """What `flag-events` was asked for (protocols/launchdarkly.md 4.1). Times are unix ms. given: the parameters as
    they came, for links."""

    project: str
    environment: str
    applications: frozenset[str]
    query: str
    size: str | None
    experiments: bool | None
    everywhere: bool
    expand: bool
    limit: int
    first: int
    last: int
    after: str | None
    before: str | None
    given: Mapping[str, str]

    def link(self, **paging: str) -> str:
        """The same query on another page."""
        kept = {name: value for name, value in self.given.items() if name not in ("after", "before", "token")}
        return urlencode(kept | paging)


def events_query(given: Mapping[str, str], now: int) -> EventsQuery:
    """
    Raises:
        Invalid: a parameter is missing, of another type, or out of its limits.
    """
    errors: list[tuple[str, str]] = []
    errors += [(name, "must be present") for name in ("projectKey", "environmentKey") if not given.get(name)]
    limit = _integer(given, "limit", DEFAULT_LIMIT, errors)
    if not 1 <= limit <= MAX_LIMIT:
        errors.append(("limit", f"must be from 1 to {MAX_LIMIT}"))
    last = _integer(given, "to", now, errors)
    first = _integer(given, "from", max(0, min(now, last) - WEEK) if "to" in given else now - WEEK, errors)
    if first > last:
        errors.append(("from", "must not be later than to"))
    size = given.get("impactSize") or None
    if size is not None and size not in SIZES:
        errors.append(("impactSize", f"must be one of {', '.join(SIZES)}"))
    everywhere = given.get("global") or "include"
    if everywhere not in ("include", "exclude"):
        errors.append(("global", "must be include or exclude"))
    expand = [part.strip() for part in given.get("expand", "").split(",") if part.strip()]
    if any(part != "experiments" for part in expand):
        errors.append(("expand", "must be experiments"))
    experiments = (given.get("hasExperiments") or "").lower()
    if experiments not in ("", "true", "false"):
        errors.append(("hasExperiments", "must be true or false"))
    if given.get("after") and given.get("before"):
        errors.append(("before", "must not be given together with after"))
    if errors:
        raise Invalid(errors)
    return EventsQuery(
        project=given["projectKey"],
        environment=given["environmentKey"],
        applications=frozenset(part.strip() for part in given.get("applicationKey", "").split(",") if part.strip()),
        query=given.get("query", "").strip().casefold(),
        size=size,
        experiments=experiments == "true" if experiments else None,
        everywhere=everywhere == "include",
        expand=bool(expand),
        limit=limit,
        first=first,
        last=last,
        after=given.get("after") or None,
        before=given.get("before") or None,
        given=given,
    )


@dataclass(frozen=True, slots=True)
class EvaluationsQuery:
    """A time range, unix ms, of whole steps of `step` ms, itself whole minutes. The last step may end after `to`."""

    first: int
    last: int
    step: int


def evaluations_query(given: Mapping[str, str], now: int) -> EvaluationsQuery:
    """
    Raises:
        Invalid: a parameter is of another type, or there would be too many steps.
    """
    errors: list[tuple[str, str]] = []
    last = _moment(given, "to", now, errors)
    first = _moment(given, "from", last - DAY, errors)
    step = 0
    if given.get("step"):
        try:
            step = round(duration(given["step"]) * 1000)
        except ValueError as error:
            errors.append(("step", str(error)))
        else:
            if step < MINUTE or step % MINUTE:
                errors.append(("step", 'must be whole minutes, as in "1m" or "1h"'))
    if first > last:
        errors.append(("from", "must not be later than to"))
    if not errors:
        least = -(-(last - first) // MOST_STEPS)
        if not step:
            step = next((each for each in _STEPS if each >= least), -(-least // DAY) * DAY)
        elif step < least:
            errors.append(("step", f"makes more than {MOST_STEPS} steps: choose a longer one, or a shorter range"))
    if errors:
        raise Invalid(errors)
    return EvaluationsQuery(first - first % step, last, step)


_STEPS: Final = tuple(MINUTE * minutes for minutes in (1, 5, 15, 60, 6 * 60, 24 * 60))


def _integer(given: Mapping[str, str], name: str, default: int, errors: list[tuple[str, str]]) -> int:
    text = given.get(name)
    if not text:
        return default
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16 and abs(int(text)) < MAX_TIME):
        errors.append((name, "must be an integer"))
        return default
    return int(text)


def _moment(given: Mapping[str, str], name: str, default: int, errors: list[tuple[str, str]]) -> int:
    text = given.get(name)
    if not text:
        return default
    time = moment(text) if len(text) <= 40 else None
    if time is None or not 0 <= time < MAX_TIME:
        errors.append((name, "must be a time: milliseconds since 1970, or ISO 8601"))
        return default
    return time
