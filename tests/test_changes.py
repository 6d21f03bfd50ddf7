"""Changes survive the log, and their ids are the same at each delivery."""

import uuid

import msgpack
import pytest

from router.changes import DESCRIPTIONS, Change, Member, as_attributes, change_id, of_attributes
from router.names import EnvironmentName

FULL = Change(
    "i", "f", "t", 5, "d", "statsig", everywhere=True, actions=("a", "b"), audit_id="x", member=Member("1", "e", "f"),
    version=7,
)  # fmt: skip


@pytest.mark.parametrize("change", [FULL, Change("i", "f", "t", 5, "d", "generic")], ids=["full", "least"])
def test_a_change_survives_the_log(change: Change) -> None:
    stored = msgpack.unpackb(msgpack.packb(as_attributes(change)), use_list=False)
    assert of_attributes(stored) == change


@pytest.mark.parametrize("attributes", [{}, {"reason": "x"}, {"id": 5}], ids=str)
def test_other_attributes_are_no_change(attributes: dict[str, object]) -> None:
    assert of_attributes(attributes) is None


def test_ids_are_uuids_that_tell_environments_and_parts_apart() -> None:
    one, other = EnvironmentName("p", "one"), EnvironmentName("p", "other")
    ids = [change_id(one, "a", "b"), change_id(one, "ab"), change_id(other, "a", "b"), change_id(one, "a", "c")]
    assert len(set(ids)) == 4
    assert change_id(one, "a", "b") == ids[0]
    assert all(str(uuid.UUID(id_)) == id_ for id_ in ids)


def test_every_type_is_described() -> None:
    assert all(text and text[0].isupper() for text in DESCRIPTIONS.values())
