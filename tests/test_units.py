"""Durations and sizes: what is read, what is refused, and that every value survives its spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.units import MAX_DURATION, MAX_SIZE, duration, duration_text, shown, size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7d", 604_800.0),
        ("1h", 3600.0),
        ("90s", 90.0),
        ("250ms", 0.25),
        ("2w", 1_209_600.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1d12h", 129_600.0),
        ("1m500ms", 60.5),
        ("1.5h", 5400.0),
        ("0.1s", 0.1),
        ("30", 30.0),
        ("0", 0.0),
        ("0s", 0.0),
    ],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    assert seconds == duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10MiB", 10 * 2**20),
        ("10MB", 10_000_000),
        ("512KiB", 512 * 1024),
        ("1.5GiB", 3 * 2**29),
        ("1kB", 1000),
        ("1KB", 1000),
        ("2tib", 2 * 2**40),
        ("2TB", 2 * 10**12),
        ("10 MiB", 10 * 2**20),
        ("4096", 4096),
        ("7B", 7),
        ("0", 0),
        ("0.5B", 0),
        (str(MAX_SIZE), MAX_SIZE),
    ],
)
def test_sizes_are_read_in_bytes(text: str, count: int) -> None:
    assert count == size(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "h",
        "1x",
        "1 h",
        "-1s",
        "+1s",
        "1e3s",
        "1h1h",
        "30m1h",
        "1.5h30m",
        "1,5h",
        "٣s",
        "1s\n",
        "off",
        "1H",
        "inf",
    ],
)
def test_what_is_no_duration_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match=r'is no duration: write a number and a unit, as in "90s"'):
        duration(text)


@pytest.mark.parametrize("text", ["", "MiB", "10Mi", "10M", "10XB", "-1B", "1e3", "1_000", "10  MiB", "٣B", "1B\n"])
def test_what_is_no_size_is_refused_with_the_way_out(text: str) -> None:
    """`10M` is among them: it is 1024-based to systemd and 1000-based to others."""
    with pytest.raises(ValueError, match=r'is no size: write bytes, or a number and a unit, as in "10MiB"'):
        size(text)


def test_absurd_values_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than a century"):
        duration("99999d")
    with pytest.raises(ValueError, match="more than 9223372036854775807 bytes"):
        size(str(MAX_SIZE + 1))


@given(st.integers(0, MAX_DURATION * 1000))
def test_a_duration_in_milliseconds_survives_its_spelling(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert seconds == duration(duration_text(seconds))


@given(st.integers(0, MAX_SIZE))
def test_a_size_survives_its_spelling(count: int) -> None:
    assert count == size(size_text(count))


@pytest.mark.parametrize(
    ("spelling", "seconds"), [("1w", 604_800), ("3d", 259_200), ("90s", 90), ("250ms", 0.25), ("90m", 5400), ("0s", 0)]
)
def test_a_duration_is_spelled_with_the_largest_unit_that_is_exact(spelling: str, seconds: float) -> None:
    assert spelling == duration_text(seconds)


@pytest.mark.parametrize(
    ("spelling", "count"), [("10MiB", 10 * 2**20), ("10MB", 10**7), ("1023B", 1023), ("0B", 0), ("1kB", 1000)]
)
def test_a_size_is_spelled_with_the_largest_unit_that_is_exact(spelling: str, count: int) -> None:
    assert spelling == size_text(count)


@given(st.text(max_size=60))
def test_text_is_a_duration_or_refused_with_a_short_message(text: str) -> None:
    try:
        seconds = duration(text)
    except ValueError as error:
        assert len(str(error)) < 600  # noqa: PT017 - the message is one of two good outcomes
    else:
        assert 0 <= seconds <= MAX_DURATION


@given(st.text(alphabet="0123456789.kKmMgGtTiIbB ", max_size=30))
def test_text_is_a_size_or_refused(text: str) -> None:
    try:
        count = size(text)
    except ValueError:
        return
    assert 0 <= count <= MAX_SIZE


def test_what_is_shown_of_a_value_is_short_and_on_one_line() -> None:
    assert shown("a\nb") == "'a\\nb'"
    assert len(shown("x" * 1000)) == 42
