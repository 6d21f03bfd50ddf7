"""The loss ledger balances at any moment, however posts end."""

from hypothesis import given
from hypothesis import strategies as st

from router.http.tally import Tally
from router.names import EnvironmentName
from router.pipeline.ledger import Committed

PRODUCTION = EnvironmentName("default", "production")
POSTS = st.tuples(
    st.integers(0, 5), st.integers(0, 3), st.sampled_from(["stored", "partly", "again", "refused", "open"])
)


@given(st.lists(POSTS))
def test_it_balances_whatever_happens(posts: list[tuple[int, int, str]]) -> None:
    tally = Tally()
    for count, bad, ending in posts:
        entry = tally.enter(PRODUCTION, "launchdarkly", ["custom"] * count, ["no kind: 5"] * bad)
        if ending == "open":
            continue
        if ending == "stored":
            entry.settle(Committed(0, count - 1))
        elif ending == "partly":
            entry.settle(Committed(0, count - 1, count // 2))
        elif ending == "again":
            entry.settle(Committed(0, count - 1, count, duplicate=True))
        entry.drop()
    for account in tally.statistics().accounts.values():
        assert account.unaccounted == 0
        assert account.in_flight == sum(count + bad for count, bad, ending in posts if ending == "open")
        assert account.refused == sum(count + bad for count, bad, ending in posts if ending == "refused")


def test_reasons_are_counted_without_their_particulars() -> None:
    tally = Tally()
    entry = tally.enter(PRODUCTION, "statsig", ["custom"], ["cannot be read: at byte 7", "cannot be read: at 9"])
    entry.settle(Committed(0, 0))
    account = tally.statistics().accounts[PRODUCTION, "statsig"]

    assert account.set_aside == {"cannot be read": 2}
    assert account.received == {"custom": 1, "unreadable": 2}


def test_posts_are_counted_by_their_outcome() -> None:
    tally = Tally()
    tally.answered("statsig", "accepted", 100, 0.002)
    tally.answered("statsig", "malformed", 5, 0.001)
    posts = tally.statistics().posts["statsig"]

    assert (posts.outcomes, posts.bytes, posts.seconds.count) == ({"accepted": 1, "malformed": 1}, 105, 2)
