"""Pages of flag events: no event twice and none left out, also while new ones come in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.changes import Change, Member, change_id
from router.http.insights_page import event_body, page_body, select
from router.http.insights_query import Invalid, events_query
from router.names import EnvironmentName
from router.pipeline.insights import Insights
from router.store.changes import Impact, Record, Served
from router.store.engine import Batch, Engine

NAME = EnvironmentName("default", "production")
NOW = 1_767_225_600_000
NEEDED = {"projectKey": "default", "environmentKey": "production"}


class Known:
    """Insights with changes put into them."""

    def __init__(self, engine: Engine, number: int = 1) -> None:
        self.engine = engine
        self.insights = Insights(NAME, engine, number, None)
        self._count = 0

    def change(self, time: int, flag: str = "f", impact: Impact | None = None, **more: object) -> str:
        self._count += 1
        told: dict[str, object] = {
            "id": change_id(NAME, str(self._count)), "flag": flag, "type": "updated_rules", "time": time,
            "description": "…", "source": "launchdarkly",
        }  # fmt: skip
        change = Change(**(told | more))  # type: ignore[arg-type]
        self.insights.changes.put(Record(change, impact or Impact()))
        batch = Batch()
        self.insights.changes.stage(batch)
        self.engine.write(batch)
        self.insights.changes.advance()
        return change.id

    def page(self, **given_: object) -> list[str]:
        query = events_query(NEEDED | {name: str(value) for name, value in given_.items()}, NOW)
        return [place.id for place in select(self.insights, query).places]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine.open(tmp_path_factory.mktemp("db"))
    yield made
    made.close()


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Known]:
    made = Engine.open(tmp_path)
    yield Known(made)
    made.close()


numbers = iter(range(1, 10**9))


@settings(deadline=None, max_examples=50)
@given(
    times=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    limit=st.integers(1, 7),
    later=st.lists(st.integers(1, 60), max_size=8),
)
def test_pages_there_and_back(engine: Engine, times: list[int], limit: int, later: list[int]) -> None:
    """Walking the pages gives each event that was there at the beginning once, in order, whatever comes meanwhile; and
    the way back gives them in the same order."""
    known = Known(engine, next(numbers))
    expected = [id_ for _, id_ in sorted(((time, known.change(NOW - 1000 + time)) for time in times), reverse=True)]
    arriving = iter(later)
    walked: list[str] = []
    page = known.page(limit=limit)
    while page:
        walked += page
        for time in (next(arriving, None),):
            if time is not None:
                known.change(NOW - 100 + time)
        page = known.page(limit=limit, after=page[-1])
    assert [id_ for id_ in walked if id_ in expected] == expected
    back: list[str] = []
    page = known.page(limit=limit, before=walked[-1])
    while page:
        back = page + back
        page = known.page(limit=limit, before=page[0])
    assert [id_ for id_ in back if id_ in expected] == expected[:-1]


def test_links_lead_to_the_neighbours(known: Known) -> None:
    ids = [known.change(NOW - 10 + number) for number in range(5)][::-1]
    query = events_query(NEEDED | {"limit": "2", "query": "f", "after": ids[1]}, NOW)
    body = page_body(known.insights, query, select(known.insights, query), NOW)
    assert [item["id"] for item in body["items"]] == ids[2:4]
    assert body["totalCount"] == 5
    base = "/api/v2/engineering-insights/flag-events?projectKey=default&environmentKey=production&limit=2&query=f"
    assert {name: link["href"] for name, link in body["_links"].items()} == {
        "self": f"{base}&after={ids[1]}",
        "first": base,
        "next": f"{base}&after={ids[3]}",
        "prev": f"{base}&before={ids[2]}",
    }


def test_the_first_and_the_last_page_say_so(known: Known) -> None:
    ids = [known.change(NOW - 10 + number) for number in range(3)][::-1]
    for given_, links in (({}, {"next"}), ({"after": ids[1]}, {"prev"}), ({"before": ids[0]}, {"next"})):
        query = events_query(NEEDED | {"limit": "2"} | given_, NOW)
        body = page_body(known.insights, query, select(known.insights, query), NOW)
        assert set(body["_links"]) - {"self", "first"} == (links if body["items"] else set())


def test_a_place_that_the_filter_leaves_out_still_is_a_place(known: Known) -> None:
    old, middle, new = (known.change(NOW - 3 + number, flag) for number, flag in enumerate(("a", "b", "a")))
    assert known.page(query="a", after=middle) == [old]
    assert known.page(query="a", before=middle) == [new]


@pytest.mark.parametrize("name", ["after", "before"])
def test_an_event_that_is_not_known_is_no_place(known: Known, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        known.page(**{name: "00000000-0000-0000-0000-000000000000"})
    assert caught.value.errors[0][0] == name


def test_both_ends_of_the_range_belong_to_it(known: Known) -> None:
    ids = [known.change(NOW - 3 + number) for number in range(3)]
    assert known.page(**{"from": NOW - 3, "to": NOW - 2}) == [ids[1], ids[0]]


def test_experiments_are_those_around_the_event(known: Known) -> None:
    with_one, without = known.change(NOW - 60_000, "tried"), known.change(NOW - 60_000, "plain")
    flag = known.insights.flags.get("tried")
    flag.experimented("trial", NOW // 60_000)
    assert known.page(hasExperiments="true") == [with_one]
    assert known.page(hasExperiments="false") == [without]
    record = known.insights.changes.record(with_one)
    assert record is not None
    for later, status in ((0, "running"), (2 * 86_400_000, "stopped")):
        body = event_body(known.insights, record, NOW + later, expand=True)
        (experiment,) = body["experiments"]["items"]
        assert (experiment["key"], experiment["iteration"]["status"]) == ("trial", status)
        assert experiment["iteration"]["startedAt"] == NOW
        assert experiment["iteration"].get("endedAt") == (NOW if status == "stopped" else None)


def test_an_event_with_everything(known: Known) -> None:
    impact = Impact("medium", 33.33, "evaluations", (Served(b'{"a":1}', 2, 1, 2, 1), Served(b"true", 0, 1)))
    member = Member("m", "kim@shop.test", "Kim", "Ek")
    id_ = known.change(NOW, "f", impact, member=member, actions=("updateRules",), audit_id="a")
    record = known.insights.changes.record(id_)
    assert record is not None
    body = event_body(known.insights, record, NOW + 600_000, expand=False)
    assert body["member"] == {"id": "m", "email": "kim@shop.test", "firstName": "Kim", "lastName": "Ek"}
    assert body["impact"]["complete"] is True
    assert body["impact"]["evaluationsSummary"]["variations"][0] | {"value": None} == {
        "value": None, "before": 2, "after": 1, "contextsBefore": 2, "contextsAfter": 1,
    }  # fmt: skip
    assert "contextsBefore" not in body["impact"]["evaluationsSummary"]["variations"][1]
    assert len(body["projectId"]) == len(body["environmentId"]) == 24


def test_a_change_of_all_environments_names_none(known: Known) -> None:
    record = known.insights.changes.record(known.change(NOW, everywhere=True))
    assert record is not None
    body = event_body(known.insights, record, NOW, expand=False)
    assert not {"environmentId", "environmentKey", "member", "auditLogEntryId", "actions", "experiments"} & set(body)
    assert body["impact"] == {"complete": False}
