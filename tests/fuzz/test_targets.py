"""No bytes crash what strangers' bytes get to, nor keep it busy: generated, mutated, and every case that was found."""

import gzip
import zlib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dialects.compressed import zstd_bomb
from tests.fuzz.targets import TARGETS

CORPUS: Final = Path(__file__).with_name("corpus")
EVENT: Final = b'{"kind":"feature","key":"f","creationDate":1700000000000,"contextKeys":{"user":"u"},"value":true}'
SEEDS: Final = (
    b"[" + EVENT + b"," + EVENT + b"]",
    b'{"events":[{"eventName":"statsig::gate_exposure","time":1,"metadata":{"gate":"g"}}],"statsigMetadata":{"t":"1"}}',
    b'[{"kind":"summary","startDate":1,"endDate":2,"features":{"f":{"default":1,"counters":[{"value":1,"count":2}]}}}]',
    b'{"kind":"diagnostic","id":{"diagnosticId":"a"},"creationDate":1}',
    b'[server]\nbind = ["127.0.0.1:1"]\n[[environment]]\nproject = "p"\nkey = "e"\nsdk_keys = ["sdk-1234"]\n',
    b'[[token]]\nname = "t"\ntoken = "api-1234"\nscopes = ["stream"]\n[[webhook]]\nvendor = "generic"\n',
    b"abcdefgh-18446744073709551615",
    b"2026-01-01T00:00:00+23:59",
    b"198.51.100.1, 127.0.0.1, ::ffff:10.0.0.1, fe80::1%eth0",
    b"id: 1\ndata: {}\n\nevent: gap\ndata: x\r\rretry: 5\n\n",
    b'v0=00\n{"data":[{"action":"updated","flag":"f","change_id":"1","created_at":1,"created_by":"me"}]}',
    b'\xff\n{"_id":"1","date":1,"accesses":[{"action":"updateOn","resource":"proj/p:env/e:flag/f"}]}',
    gzip.compress(b"[" + EVENT + b"]"),
    zlib.compress(b"[]"),
    zstd_bomb(100),
)


def found(target: str) -> list[Path]:
    return sorted((CORPUS / target).glob("*"))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good input with pieces cut out, doubled, overwritten or put in from another."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 20)))
        other = draw(st.sampled_from(SEEDS))
        piece = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[begin:end]) * 3), st.just(other[begin:end])))
        data[begin:end] = piece
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=1000, suppress_health_check=list(HealthCheck))
@given(data=st.one_of(mutated(), st.binary(max_size=200)))
def test_nothing_crashes(target: str, data: bytes) -> None:
    TARGETS[target](data)


CASES: Final = [(target, case) for target in TARGETS for case in (*SEEDS, *found(target))]


@pytest.mark.parametrize(("target", "case"), CASES)
def test_seeds_and_found_cases(target: str, case: bytes | Path) -> None:
    TARGETS[target](case if isinstance(case, bytes) else case.read_bytes())
