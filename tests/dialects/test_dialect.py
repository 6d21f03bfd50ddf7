"""What an accepted answer says."""

import pytest

from router.dialects.dialect import Bounds, Receipt


@pytest.mark.parametrize(
    ("receipt", "headers"),
    [
        (Receipt((3, 7), "fsync"), {"Router-Offsets": "3-7", "Router-Durability": "fsync"}),
        (Receipt(None, "os"), {"Router-Durability": "os"}),
        (
            Receipt((3, 7), "fsync", duplicate=True),
            {"Router-Offsets": "3-7", "Router-Durability": "fsync", "Router-Duplicate": "true"},
        ),
    ],
)
def test_a_receipt_tells_where_how_safe_and_whether_again(receipt: Receipt, headers: dict[str, str]) -> None:
    assert dict(receipt.headers()) == headers


def test_without_secrets_a_body_is_not_even_copied() -> None:
    body = b"[]"

    assert Bounds().redact(body) is body
