"""The directory's own rows: format gate, and one log with one epoch per environment."""

from pathlib import Path

import pytest

from router.names import EnvironmentName
from router.store.engine import Batch, Engine
from router.store.meta import Meta

PRODUCTION = EnvironmentName("default", "production")
STAGING = EnvironmentName("default", "staging")


def test_an_environment_keeps_its_log_and_epoch(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path)
    first = Meta(engine).log(PRODUCTION)
    engine.close()
    engine = Engine.open(tmp_path)
    meta = Meta(engine)

    assert first == meta.log(PRODUCTION)
    assert (first.family, 0) == ("log.1", first.low)
    second = meta.log(STAGING)
    assert {PRODUCTION: first, STAGING: second} == meta.logs()
    assert first.epoch != second.epoch
    assert first.family != second.family
    engine.close()


def test_an_unknown_format_is_refused_with_a_way_out(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path)
    Meta(engine)
    batch = Batch()
    batch.put(engine.family("default"), b"format", b"99")
    engine.write(batch)

    with pytest.raises(ValueError, match=r"on-disk format 99 and this router reads 1: start the router version"):
        Meta(engine)
    engine.close()


def test_a_low_mark_is_kept(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path)
    meta = Meta(engine)
    row = meta.trimmed(meta.log(PRODUCTION), 17)
    batch = Batch()
    meta.put(batch, PRODUCTION, row)
    engine.write(batch)

    assert meta.log(PRODUCTION).low == 17
    engine.close()
