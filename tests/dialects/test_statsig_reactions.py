"""What each family of Statsig SDKs does with each answer of the dialect (protocols/statsig-and-others.md 1.9).

The families are written down as the table has them: the statuses that make one drop, keep or resend a batch, and what
it wants of a success. The test is that no answer of ours loses events for want of the right words.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from router.dialects.dialect import Dialect, Receipt, Refusal, Reply
from router.dialects.statsig import Statsig
from router.errors import Fault

OK: Final = "ok"
RESEND: Final = "resend"
DROP: Final = "drop"
KEEP: Final = "keep for later"
SDK: Final[Dialect] = Statsig()
OTHER_4XX: Final = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 429, 501})


def any_body(body: bytes) -> bool:
    return True


def json_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def not_unsuccessful(body: bytes) -> bool:
    return json_object(body) and json.loads(body).get("success") is not False


def success_true(body: bytes) -> bool:
    return json_object(body) and json.loads(body).get("success") is True


@dataclass(frozen=True, slots=True)
class Family:
    """wants: whether a 2xx with this body is a success; without: what it does where it is not.

    drops: statuses after which the batch is gone; otherwise what it does with any other status.
    """

    wants: Callable[[bytes], bool]
    without: str
    drops: frozenset[int]
    otherwise: str = RESEND

    def reaction(self, reply: Reply) -> str:
        if 200 <= reply.status < 300:
            return OK if self.wants(reply.body) else self.without
        return DROP if reply.status in self.drops else self.otherwise


FAMILIES: Final = {
    "js-client 3": Family(any_body, RESEND, OTHER_4XX),
    "statsig-js 5": Family(json_object, RESEND, frozenset(), KEEP),
    "server core": Family(not_unsuccessful, RESEND, frozenset({400, 403, 405, 413, 429, 501})),
    "python": Family(json_object, DROP, OTHER_4XX),
    "node": Family(any_body, RESEND, frozenset()),
    "go": Family(json_object, DROP, OTHER_4XX),
    "java, ruby, .net": Family(any_body, RESEND, OTHER_4XX),
    "ios": Family(any_body, RESEND, frozenset(), KEEP),
    "android": Family(any_body, RESEND, frozenset(), KEEP),
    "dart": Family(success_true, RESEND, frozenset()),
    "c++ client": Family(success_true, RESEND, frozenset()),
}


def refusal(fault: Fault) -> Reply:
    return SDK.refused(SDK.routes[0], Refusal(fault, "the reason"))


ACCEPTED: Final = {
    "stored": Receipt((1, 2), "fsync"),
    "recognised": Receipt((1, 2), "fsync", duplicate=True),
    "empty": Receipt(None, "os"),
}


def test_the_families_react_as_the_table_says() -> None:
    """The model against rows of section 1.9 that this dialect never answers with."""
    empty = {name: family.reaction(Reply(202)) for name, family in FAMILIES.items()}
    too_many = {name: family.reaction(Reply(429)) for name, family in FAMILIES.items()}

    assert [name for name, does in empty.items() if does == RESEND] == [
        "statsig-js 5",
        "server core",
        "dart",
        "c++ client",
    ]
    assert empty["python"] == DROP
    assert [name for name, does in too_many.items() if does == DROP] == [
        "js-client 3",
        "server core",
        "python",
        "go",
        "java, ruby, .net",
    ]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("receipt", ACCEPTED.values(), ids=ACCEPTED)
def test_every_family_takes_every_acceptance_for_success(name: str, receipt: Receipt) -> None:
    assert FAMILIES[name].reaction(SDK.accepted(SDK.routes[0], receipt)) == OK


@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_drops_what_cannot_be_taken_now(name: str) -> None:
    assert FAMILIES[name].reaction(refusal(Fault.UNAVAILABLE)) in (RESEND, KEEP)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.UNAVAILABLE])
def test_no_family_takes_a_refusal_for_success(name: str, fault: Fault) -> None:
    assert FAMILIES[name].reaction(refusal(fault)) != OK


@pytest.mark.parametrize("fault", [Fault.UNAUTHENTICATED, Fault.FORBIDDEN, Fault.UNKNOWN_CLIENT])
def test_server_cores_keep_their_events_while_a_key_is_not_known_yet(fault: Fault) -> None:
    """Why FORBIDDEN is no 403 here: the cores drop on that, and resend on a 401 (section 1.2)."""
    assert FAMILIES["server core"].reaction(refusal(fault)) == RESEND


@pytest.mark.parametrize("fault", list(Fault))
def test_no_answer_is_empty_or_of_a_status_that_is_banned(fault: Fault) -> None:
    reply = refusal(fault)

    assert reply.status not in (403, 404, 413, 415, 422, 429)
    assert json_object(reply.body)
    assert not success_true(reply.body)
