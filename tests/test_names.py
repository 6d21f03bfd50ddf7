"""Names at the surface: what is accepted, and that cursors are told from anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.names import MAX_OFFSET, Cursor, EnvironmentName, is_key, new_epoch


@given(st.integers(0, MAX_OFFSET))
def test_a_cursor_survives_its_spelling(offset: int) -> None:
    cursor = Cursor(new_epoch(), offset)

    assert cursor == Cursor.parse(str(cursor))


@given(st.text(max_size=40))
def test_text_is_a_cursor_only_if_it_spells_one(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except ValueError:
        return
    assert text == str(cursor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abcdefgh",
        "abcdefgh-",
        "abcdefgh--1",
        "abcdefgh-01",
        "ABCDEFGH-1",
        "abcdefgh-1\n",
        f"abcdefgh-{MAX_OFFSET + 1}",
    ],
)
def test_near_misses_are_no_cursors(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.parse(text)


def test_epochs_differ() -> None:
    assert len({new_epoch() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["default/production", "a/b", "a.b-c_d/0"])
def test_an_environment_name_survives_its_spelling(text: str) -> None:
    assert text == str(EnvironmentName.parse(text))


@pytest.mark.parametrize("text", ["", "default", "/production", "default/", "a/b/c", "a b/c", "-a/b", "a/" + "x" * 101])
def test_what_is_no_environment_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no environment|is no project or environment key"):
        EnvironmentName.parse(text)


def test_keys_have_launchdarklys_alphabet() -> None:
    assert is_key("A1.b-c_d")
    assert not is_key("ä")
