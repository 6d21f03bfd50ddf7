"""Connections are counted in all and by address."""

import json

from router.http.admission import FULL, Admission, AdmissionLimits
from router.http.clients import Proxies


def test_one_address_cannot_take_all_and_a_proxy_may() -> None:
    admission = Admission(AdmissionLimits(max_connections=6, max_per_address=2, proxies=Proxies(["10.0.0.0/8"])))
    assert [admission.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [admission.enter(address) for address in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "")] == [True] * 4
    assert admission.full
    assert not admission.enter("192.0.2.2")
    admission.leave("10.0.0.1")
    assert admission.enter("192.0.2.2")
    found = admission.statistics()
    assert (found.open, found.crowded, found.full) == (6, 1, 1)


def test_what_is_told_to_one_too_many_is_a_whole_answer() -> None:
    head, _, body = FULL.partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["success"] is False
