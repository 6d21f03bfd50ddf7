"""Addresses: what may be listened on, which pages may post, where events may be posted on to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config.addresses import is_private, listening, origin, url


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8080",
        "0.0.0.0:0",
        "localhost:65535",
        "router.example.:80",
        "[::1]:8080",
        "[fe80::1%eth0]:80",
        "unix:/run/router/router.sock",
        "fd://3",
    ],
)
def test_an_address_is_kept_as_written(text: str) -> None:
    assert text == listening(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no address"),
        ("localhost", "is no address"),
        ("8080", "has no host"),
        (":8080", 'for all addresses write "0.0.0.0:8080"'),
        ("localhost:", "has no port from 0 to 65535"),
        ("localhost:65536", "has no port from 0 to 65535"),
        ("localhost:080", "has no port from 0 to 65535"),
        ("localhost:http", "has no port from 0 to 65535"),
        ("127.0.0.1:٣", "has no port from 0 to 65535"),
        ("::1:8080", r'write "\[::1\]:8080" for IPv6'),
        ("http://localhost:8080", 'no "http://"'),
        ("[::1:]:8080", "has no IPv6 address in its brackets"),
        ("[localhost]:8080", "has no IPv6 address in its brackets"),
        ("my host:80", "has no host before its port"),
        ("-x:80", "has no host before its port"),
        ("127.0.0.256:80", "has no IPv4 address before its port"),
        ("unix:router.sock", "has no absolute path of a socket"),
        ("unix:", "has no absolute path of a socket"),
        ("unix:/run/", "has no absolute path of a socket"),
        ("unix:/a\0b", "has no absolute path of a socket"),
        ("unix:/" + "x" * 107, "is longer than 107 bytes"),
        ("unix:/" + "ä" * 54, "is longer than 107 bytes"),
        ("fd://2", "names no inherited descriptor"),
        ("fd://x", "names no inherited descriptor"),
    ],
)
def test_what_is_no_address_is_refused_with_the_way_out(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        listening(text)


def test_a_unix_path_may_have_all_the_bytes_that_the_kernel_takes() -> None:
    text = "unix:/" + "x" * 106

    assert text == listening(text)


@given(st.text(max_size=40) | st.from_regex(r"(unix:|fd://|\[)?[0-9a-z.:/\[\]]{0,20}(:[0-9]{1,6})?", fullmatch=True))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        listening(text)
    except ValueError:
        return
    assert isinstance(is_private(text), bool)


@pytest.mark.parametrize("text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/x"])
def test_loopback_and_unix_sockets_are_private(text: str) -> None:
    assert is_private(text)


@pytest.mark.parametrize(
    "text", ["0.0.0.0:1", "[::]:1", "192.168.1.1:1", "router.example:1", "localhost.example:1", "fd://3"]
)
def test_what_others_may_reach_is_not_private(text: str) -> None:
    """A descriptor is among them: nobody here knows what it listens on."""
    assert not is_private(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", "*"),
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:8443", "https://shop.example:8443"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_in_the_letter_case_of_browsers(text: str, expected: str) -> None:
    assert expected == origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "https://shop.example/",
        "https://",
        "https://*.example",
        "https://a:99999",
        "null",
        "https://u@x",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin: write"):
        origin(text)


def test_a_url_is_kept_without_its_last_slash() -> None:
    assert url("https://hub.example:8443/base/") == "https://hub.example:8443/base"
    assert url("http://[::1]:80") == "http://[::1]:80"


@pytest.mark.parametrize(
    "text",
    [
        "hub.example",
        "ftp://hub.example",
        "https://",
        "https://hub.example:99999",
        "https://hub.example/?key=hunter2",
        "https://hub.example/#hunter2",
        "https://me:hunter2@hub.example",
        "https://hub.example/hunter2 x",
    ],
)
def test_a_bad_url_is_refused_and_not_shown(text: str) -> None:
    """A password or a key may be in it."""
    with pytest.raises(ValueError, match="is no URL to post to") as caught:
        url(text)
    assert "hunter2" not in str(caught.value)
