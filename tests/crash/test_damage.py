"""Bytes flipped and tails cut at random places of a data directory: right data or a named refusal, never wrong data,
never silence.

ROUTER_DAMAGE_CASES says how many: 200 in the test command, 5,000 in the long form (docs/reliability.md).
"""

import os
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from router.names import EnvironmentName
from router.records import Event, pack_body
from router.store.engine import Batch, Damaged, Engine
from router.store.log import Log, Unreadable
from router.store.meta import Meta

CASES = int(os.environ.get("ROUTER_DAMAGE_CASES", "200"))
NAMES = [EnvironmentName("shop", key) for key in ("production", "staging")]
ENTRIES = 300


def raw(name: EnvironmentName, offset: int) -> bytes:
    """What the event at an offset of a log holds: the same every time, and not compressible to nothing."""
    return b'"%s %d %s"' % (str(name).encode(), offset, Random(f"{name}{offset}").randbytes(60).hex().encode())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as a crash leaves it: some tables, and newer entries in the write-ahead log alone."""
    path = tmp_path_factory.mktemp("damage")
    engine = Engine.open(path / "db")
    meta = Meta(engine)
    logs = [Log(name, engine, meta.log(name)) for name in NAMES]
    for number in range(ENTRIES):
        batch = Batch()
        for log in logs:
            events = [Event("custom", 1, "n", (), (), None, raw(log.name, log.head + n)) for n in range(3)]
            log.stage(batch, number, pack_body("d", "e", {}, events), 3)
        engine.write(batch)
        for log in logs:
            log.advance(number)
        if number in (100, 200):
            for log in logs:
                engine.family(log.row.family).map.flush(True)
    engine.sync()
    shutil.copytree(path / "db", path / "crashed")
    (path / "crashed" / "LOCK").unlink()
    engine.close()
    return path / "crashed"


def harm(folder: Path, random: Random) -> tuple[str, bool]:
    """Damage one file; its name, and whether it was a write-ahead log whose tail was cut."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".sst", ".log") and path.stat().st_size)
    path = random.choice(files)
    data = bytearray(path.read_bytes())
    place = random.randrange(len(data))
    if random.random() < 0.3:
        del data[place:]
        path.write_bytes(data)
        return path.name, path.suffix == ".log"
    for position in range(place, min(place + random.choice((1, 4, 300)), len(data))):
        data[position] ^= random.randrange(1, 256)
    path.write_bytes(data)
    return path.name, False


def read(log: Log) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    """Every event that can be read, and every stretch that is said to be lost."""
    found: dict[int, bytes] = {}
    lost: list[tuple[int, int]] = []
    offset = log.low
    while offset < log.head:
        try:
            for stored in log.read(offset, log.head):
                found.update(enumerate((event.raw for event in stored.entry.events), stored.first))
                offset = stored.end
        except Unreadable as error:
            lost.append((error.first, error.last))
            offset = error.last + 1
    return found, lost


def outcome(folder: Path, *, cut: bool) -> str:
    """What became of a damaged directory; fails where that is wrong data or silence."""
    try:
        engine = Engine.open(folder)
    except Damaged:
        return "refused"
    try:
        return " and ".join(sorted({of_log(engine, name, cut=cut) for name in NAMES}))
    finally:
        engine.close()


def of_log(engine: Engine, name: EnvironmentName, *, cut: bool) -> str:
    try:
        log = Log(name, engine, Meta(engine).log(name))
        found, lost = read(log)
    except Damaged:
        return "an environment refused"
    assert all(data == raw(name, offset) for offset, data in found.items()), "never wrong data"
    named = {offset for first, last in lost for offset in range(first, last + 1)}
    assert not named & set(found), "what is said to be lost is not there"
    if not cut:
        assert set(found) | named == set(range(ENTRIES * 3)), "never silence"
    assert sorted(set(found) | named) == list(range(log.head)), "without a hole"
    if named:
        assert log.fault is not None
        return "a range named"
    return "a shorter log" if log.head < ENTRIES * 3 else "all there"


@pytest.mark.timeout(60 + CASES)
def test_damage_is_never_wrong_data_and_never_silence(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("ROUTER_DAMAGE_SEED", "0")) or Random().randrange(1, 2**32)
    outcomes: Counter[str] = Counter()
    for case in range(CASES):
        random = Random(f"{seed}/{case}")
        folder = tmp_path / str(case)
        shutil.copytree(sound, folder)
        name, cut = harm(folder, random)
        try:
            outcomes[outcome(folder, cut=cut)] += 1
        except BaseException as error:
            error.add_note(f"ROUTER_DAMAGE_SEED={seed}, case {case}, {name}")
            raise
        shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\ndamage: seed {seed}, {CASES} cases: {dict(outcomes.most_common())}")
    assert len(outcomes) > 2
