"""How often a token may ask, window by window."""

from router.http.allowance import WINDOW, Allowances

NOW = 1_767_225_600_000  # the beginning of a window


def test_each_token_and_route_is_counted_by_itself() -> None:
    rates = Allowances(5, 3)
    assert [rates.ask("a", "one", NOW).granted for _ in range(4)] == [True, True, True, False]
    assert rates.ask("a", "other", NOW).left == 0
    assert not rates.ask("a", "other", NOW).granted
    assert rates.ask("b", "one", NOW).granted


def test_a_new_window_forgets() -> None:
    rates = Allowances(1, 1)
    assert rates.ask("a", "one", NOW + WINDOW - 1).granted
    assert not rates.ask("a", "one", NOW + WINDOW - 1).granted
    assert rates.ask("a", "one", NOW + WINDOW).granted


def test_the_headers_say_what_is_left_and_until_when() -> None:
    assert Allowances(5, 3).ask("a", "one", NOW + 1).headers() == {
        "X-Ratelimit-Global-Remaining": "4",
        "X-Ratelimit-Route-Remaining": "2",
        "X-Ratelimit-Reset": str(NOW + WINDOW),
    }
