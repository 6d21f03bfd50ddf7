"""Who is behind a request, as far as it can be believed."""

import pytest

from router.http.clients import Crowd, Proxies, site

PROXIES = Proxies(["127.0.0.0/8", "10.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "unknown", "unknown"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_the_nearest_that_is_no_trusted_proxy_is_the_client(peer: str, forwarded: str, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_a_million_hops_cost_no_more_than_a_few() -> None:
    assert PROXIES.client("127.0.0.1", "1.2.3.4," + "10.0.0.1," * 1_000_000 + "10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a:b", "a:b"),
    ],
)
def test_one_customer_is_one_client(address: str, counted: str) -> None:
    assert site(address) == counted


def test_an_address_has_so_many_open_and_no_more() -> None:
    crowd = Crowd()
    assert [crowd.enter("a", 2) for _ in range(3)] == [True, True, False]
    assert crowd.enter("b", 2)
    crowd.leave("a")
    assert crowd.enter("a", 2)
    assert all(crowd.enter("c", 0) for _ in range(10))
    for address in ("a", "a", "b", *"c" * 10):
        crowd.leave(address)
    assert (crowd.statistics().addresses, crowd.statistics().refused) == (0, 1)
