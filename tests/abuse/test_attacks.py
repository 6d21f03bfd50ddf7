"""One test for each attack: what it gets, and that a well-behaved client beside it hardly notices."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.abuse.attacks import ATTACKS, IDLE
from tests.abuse.watched import CONFIGURATION, watch
from tests.process import RouterProcess, router


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    folder = tmp_path_factory.mktemp("abuse")
    (folder / "router.toml").write_text(CONFIGURATION)
    with router(folder / "data", folder / "router.toml") as running:
        yield running


def test_gzip_bomb(process: RouterProcess) -> None:
    watch(process, "gzip_bomb").check("400")


def test_gzip_bomb_of_members(process: RouterProcess) -> None:
    watch(process, "gzip_bomb_of_members").check("400")


def test_deflate_bomb(process: RouterProcess) -> None:
    watch(process, "deflate_bomb").check("400")


def test_zstd_bomb(process: RouterProcess) -> None:
    watch(process, "zstd_bomb").check("400")


def test_bomb_in_a_bomb(process: RouterProcess) -> None:
    watch(process, "bomb_in_a_bomb").check("400")


def test_many_elements(process: RouterProcess) -> None:
    watch(process, "many_elements").check("400")


def test_many_elements_under_the_limit(process: RouterProcess) -> None:
    watch(process, "many_elements_under_the_limit").check("202")


def test_deep_json(process: RouterProcess) -> None:
    watch(process, "deep_json").check("400")


def test_open_brackets(process: RouterProcess) -> None:
    watch(process, "open_brackets").check("400")


def test_not_a_number(process: RouterProcess) -> None:
    watch(process, "not_a_number").check("202")


def test_lone_surrogates(process: RouterProcess) -> None:
    watch(process, "lone_surrogates").check("202")


def test_slow_heads(process: RouterProcess) -> None:
    watch(process, "slow_heads").check("cut")


def test_slow_bodies(process: RouterProcess) -> None:
    watch(process, "slow_bodies").check("503")


def test_slow_readers(process: RouterProcess) -> None:
    watch(process, "slow_readers").check("opened")


def test_half_open_peers(process: RouterProcess) -> None:
    watch(process, "half_open_peers").check("400")


def test_vanishing_peers(process: RouterProcess) -> None:
    watch(process, "vanishing_peers").check("gone")


def test_idle_connections(process: RouterProcess) -> None:
    """Of 5,000 from several addresses, all are opened, and all are held while the good client posts."""
    found = watch(process, "idle_connections")
    found.check("opened", "held")
    assert found.counts == {"opened": IDLE, "held": IDLE}


def test_pipelining(process: RouterProcess) -> None:
    watch(process, "pipelining").check("202")


def test_conflicting_lengths(process: RouterProcess) -> None:
    watch(process, "conflicting_lengths").check("400")


def test_length_and_chunks(process: RouterProcess) -> None:
    watch(process, "length_and_chunks").check("400")


def test_obsolete_folding(process: RouterProcess) -> None:
    watch(process, "obsolete_folding").check("202")


def test_bad_chunks(process: RouterProcess) -> None:
    watch(process, "bad_chunks").check("400")


def test_huge_header(process: RouterProcess) -> None:
    watch(process, "huge_header").check("400")


def test_many_headers(process: RouterProcess) -> None:
    watch(process, "many_headers").check("400")


def test_line_breaks_in_ids(process: RouterProcess) -> None:
    watch(process, "line_breaks_in_ids").check("400")


def test_unknown_keys(process: RouterProcess) -> None:
    watch(process, "unknown_keys").check("401")


def test_every_attack_has_a_test() -> None:
    named = re.findall(r"^def test_(\w+)\(process", Path(__file__).read_text(), re.MULTILINE)

    assert sorted(ATTACKS) == sorted(name for name in named if name in ATTACKS)
    assert len(ATTACKS) == len(set(named) & set(ATTACKS))
