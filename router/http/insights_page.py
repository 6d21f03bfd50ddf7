"""From a query to a page of flag events: which changes it selects, and how each is answered.

Newest first. `after` and `before` name an event, and the page begins next to it; what comes in meanwhile moves no page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from router.changes import Member
from router.http.insights_query import EventsQuery, Invalid
from router.names import EnvironmentName
from router.pipeline import impact
from router.pipeline.insights import Insights
from router.store.changes import Place, Record
from router.store.rollups import MINUTE

PATH: Final = "/api/v2/engineering-insights/flag-events"
REACH: Final = impact.WINDOW // MINUTE  # minutes around a change in which an experiment's traffic makes it one of its
RUNNING: Final = 24 * 60  # minutes without traffic after which an iteration counts as ended
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """places: of its events. total: events that the query selects on all pages. more, less: whether there are older,
    and newer ones."""

    places: Sequence[Place]
    total: int
    more: bool
    less: bool


def select(insights: Insights, query: EventsQuery) -> Page:
    """
    Raises:
        Invalid: `after` or `before` is no event that is known.
    """
    found = _filtered(insights, query)
    total = len(found)
    begin, end = max(0, total - query.limit), total  # oldest first, so that the newest page is at the end
    for name, id_ in (("after", query.after), ("before", query.before)):
        if id_ is None:
            continue
        place = insights.changes.place(id_)
        if place is None:
            raise Invalid([(name, "is no flag event that is known here")])
        if name == "after":
            end = _first_from(found, place)
            begin = max(0, end - query.limit)
        else:
            begin = _first_from(found, place)
            begin += begin < total and found[begin] == place
            end = min(total, begin + query.limit)
    return Page(found[begin:end][::-1], total, begin > 0, end < total)


def page_body(insights: Insights, query: EventsQuery, page: Page, now: int) -> dict[str, Any]:
    """A `FlagEventCollectionRep` (protocols/launchdarkly.md 4.2)."""
    items = [
        event_body(insights, record, now, expand=query.expand)
        for place in page.places
        if (record := insights.changes.record(place.id)) is not None
    ]
    given = query.link(**{name: value for name in ("after", "before") if (value := query.given.get(name))})
    links = {"self": _link(given), "first": _link(query.link())}
    if page.more and items:
        links["next"] = _link(query.link(after=items[-1]["id"]))
    if page.less and items:
        links["prev"] = _link(query.link(before=items[0]["id"]))
    return {"totalCount": page.total, "items": items, "_links": links}


def event_body(insights: Insights, record: Record, now: int, *, expand: bool) -> dict[str, Any]:
    """A `FlagEventRep`, with the extensions of the contract."""
    change, name = record.change, insights.name
    body: dict[str, Any] = {
        "id": change.id,
        "projectId": object_id("project", name.project),
        "projectKey": name.project,
        "flagKey": change.flag,
        "eventType": change.type,
        "eventTime": change.time,
        "description": change.description,
        "impact": _impact(record, now),
    }
    if not change.everywhere:
        body["environmentId"] = environment_id(name)
        body["environmentKey"] = name.key
    if change.audit_id is not None:
        body["auditLogEntryId"] = change.audit_id
    if change.member is not None:
        body["member"] = _member(change.member)
    if change.actions:
        body["actions"] = change.actions
    if expand:
        body["experiments"] = _experiments(insights, change.flag, change.time, now)
    return body


def object_id(*parts: str) -> str:
    """24 hex digits, as LaunchDarkly's ids are; the same for the same parts on every router."""
    return sha256("\0".join(parts).encode()).hexdigest()[:24]


def environment_id(name: EnvironmentName) -> str:
    return object_id("environment", name.project, name.key)


def _filtered(insights: Insights, query: EventsQuery) -> Sequence[Place]:
    places = insights.changes.between(query.first, query.last)
    if query.query:
        places = [place for place in places if query.query in place.flag.casefold()]
    if query.size is not None:
        places = [place for place in places if place.size == query.size]
    if not query.everywhere:
        places = [place for place in places if not place.everywhere]
    if query.applications:
        flags = insights.flags
        wanted = {
            flag
            for flag in dict.fromkeys(place.flag for place in places)
            if not query.applications.isdisjoint(flags.get(flag).applications)
        }
        places = [place for place in places if place.flag in wanted]
    if query.experiments is not None:
        places = [place for place in places if bool(_near(insights, place.flag, place.time)) is query.experiments]
    return places


def _first_from(places: Sequence[Place], place: Place) -> int:
    """Index of the first of `places`, the oldest first, that is not before `place`."""
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if (places[middle].time, places[middle].id) < (place.time, place.id):
            low = middle + 1
        else:
            high = middle
    return low


def _near(insights: Insights, flag: str, time: int) -> list[tuple[str, list[int]]]:
    return insights.flags.get(flag).experiments_at(time // 1000 // MINUTE, REACH)


def _impact(record: Record, now: int) -> dict[str, Any]:
    found = record.impact
    body: dict[str, Any] = {"complete": impact.is_complete(record.change.time, now)}
    if found.size is not None:
        body |= {"size": found.size, "percentage": found.percentage, "reason": found.reason}
    if found.served:
        variations = []
        for served in found.served:
            variation: dict[str, Any] = {
                "value": msgspec.Raw(served.value),
                "before": served.before,
                "after": served.after,
            }
            if served.contexts_before is not None:
                variation["contextsBefore"] = served.contexts_before
                variation["contextsAfter"] = served.contexts_after
            variations.append(variation)
        body["evaluationsSummary"] = {"variations": variations}
    return body


def _member(member: Member) -> dict[str, str]:
    return {
        "id": member.id,
        "email": member.email,
        "firstName": member.first_name,
        "lastName": member.last_name,
    }


def _experiments(insights: Insights, flag: str, time: int, now: int) -> dict[str, Any]:
    """The experiments that the flag was in around `time`; an iteration is traffic without a break of a day."""
    items = []
    for key, (first, last) in _near(insights, flag, time):
        running = now // 1000 // MINUTE - last < RUNNING
        iteration: dict[str, Any] = {
            "id": object_id("iteration", str(insights.name), flag, key, str(first)),
            "status": "running" if running else "stopped",
            "startedAt": first * MINUTE * 1000,
            "_links": {},
        }
        if not running:
            iteration["endedAt"] = last * MINUTE * 1000
        items.append({"key": key, "name": key, "iteration": iteration, "_links": {}})
    return {"totalCount": len(items), "items": items}


def _link(query: str) -> dict[str, str]:
    return {"href": f"{PATH}?{query}" if query else PATH, "type": _JSON}
