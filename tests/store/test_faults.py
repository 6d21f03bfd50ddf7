"""RocksDB's errors are told apart by their text."""

import pytest

from router.errors import Fatal
from router.store.faults import Damaged, Locked, NoSpace, Stalled, classified


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Result incomplete: Write stall", Stalled),
        ("IO error: No space left on device: While appending to file: /d/000004.log: No space left on device", NoSpace),
        ("IO error: While fdatasync: /d/000004.log: Input/output error", Fatal),
        ("Corruption: block checksum mismatch: stored = 1, computed = 2", Damaged),
        (
            "IO error: No such file or directory: While open a file: /d/000013.sst: No such file or directory",
            Damaged,
        ),
        ("IO error: While lock file: /d/LOCK: Resource temporarily unavailable", Locked),
        ("Input/output error (os error 5)", Fatal),
        ("something else", Exception),
    ],
)
def test_failures_are_told_apart_by_their_text(text: str, kind: type[Exception]) -> None:
    assert type(classified(Exception(text))) is kind
