"""Errors of the REST side have LaunchDarkly's shape."""

import json

import pytest

from router.errors import Fault
from router.http.problems import STATUS, of_fault, problem


@pytest.mark.parametrize("fault", Fault)
async def test_every_fault_has_a_status_a_code_and_a_sentence(fault: Fault) -> None:
    response = of_fault(fault, "why")

    assert response.status_code == STATUS[fault]
    assert json.loads(await response.get_data()).keys() == {"code", "message"}
    assert response.content_type == "application/json"


async def test_a_time_to_come_back_is_a_header() -> None:
    assert problem(503, "busy", retry_after=3).headers["Retry-After"] == "3"
    assert "Retry-After" not in problem(404, "no").headers
