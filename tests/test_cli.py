"""The command: its exit statuses, and one sentence for every error."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from router import config
from router.credentials import Scope
from router.names import EnvironmentName
from tests.process import router


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "router", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", [[], ["serve"], ["check"], ["token"], ["insights", "rebuild"]])
def test_help_is_there(command: list[str]) -> None:
    done = run(*command, "--help")

    assert done.returncode == 0
    assert "router" in done.stdout.lower()


def test_check_accepts_the_configuration_that_is_shipped() -> None:
    done = run("check", "--config", str(Path(__file__).parents[1] / "conf" / "router.toml"))

    assert (done.returncode, done.stderr) == (0, "")


def test_check_prints_every_fault_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "router.toml"
    path.write_text('[server]\nmax_body = "a lot"\nbind = ["nowhere"]\n[[environment]]\nproject = "p"\n')
    done = run("check", "--config", str(path))

    assert done.returncode == 2
    for place in ("server.max_body", "server.bind[0]", "environment[0].key"):
        assert f"{place}:" in done.stderr


def test_check_tells_programs_too(tmp_path: Path) -> None:
    path = tmp_path / "router.toml"
    path.write_text('[server]\nmax_body = "a lot"\n')
    bad = run("check", "--json", "--config", str(path))
    path.write_text("")
    good = run("check", "--json", "--config", str(path))

    assert (bad.returncode, json.loads(bad.stdout)["faults"][0]["place"]) == (2, "server.max_body")
    assert (good.returncode, json.loads(good.stdout)) == (0, {"good": True, "faults": []})


def test_the_shell_completes_commands_and_options() -> None:
    environ = {"_ROUTER_COMPLETE": "bash_complete", "COMP_WORDS": "router st", "COMP_CWORD": "1", "PATH": "/usr/bin"}
    tool = Path(sys.executable).parent / "router"
    done = subprocess.run([tool], env=environ, capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["plain,status"]


def test_serve_refuses_a_broken_configuration(tmp_path: Path) -> None:
    path = tmp_path / "router.toml"
    path.write_text("[server]\nno_such_key = 1\n")

    assert run("serve", "--config", str(path)).returncode == 2
    assert run("serve", "--config", str(tmp_path / "missing.toml")).returncode == 2


def test_the_demo_refuses_to_serve_strangers(tmp_path: Path) -> None:
    done = run("serve", "--demo", "--data", str(tmp_path), "--bind", "0.0.0.0:0")

    assert done.returncode == 2
    assert "0.0.0.0" in done.stderr


def test_a_data_directory_in_use_is_told(tmp_path: Path) -> None:
    with router(tmp_path / "data"):
        done = run("serve", "--demo", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0")

    assert done.returncode == 75
    assert "in use by another router" in done.stderr


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with router() as process:
        done = run("serve", "--demo", "--data", str(tmp_path), "--bind", process.url.removeprefix("http://"))

    assert done.returncode == 1
    assert "address already in use" in done.stderr


def test_a_token_is_made_whose_block_the_configuration_takes(tmp_path: Path) -> None:
    done = run("token", "--name", 'the "wäre" house', "--scope", "stream", "--scope", "insights", "--env", "p/e")
    secret = re.search(r"api-[\w-]{43}\b", done.stdout)
    path = tmp_path / "router.toml"
    path.write_text(f'[[environment]]\nproject = "p"\nkey = "e"\n{done.stdout}')
    made = config.read(path, environ={})

    assert done.returncode == 0
    assert secret is not None
    assert secret[0] not in done.stdout.partition("[[token]]")[2]
    rights = made.keyring().token(secret[0])
    assert rights is not None
    assert rights.name == 'the "wäre" house'
    assert rights.scopes == frozenset({Scope.STREAM, Scope.INSIGHTS})
    assert rights.covers(EnvironmentName("p", "e"))
    assert not rights.covers(EnvironmentName("p", "f"))
    assert run("token").stdout != run("token").stdout


@pytest.mark.parametrize("arguments", [["--scope", "all"], ["--env", "nowhere"], ["--name", "a\nb"]])
def test_a_token_that_the_configuration_would_refuse_is_not_made(arguments: list[str]) -> None:
    done = run("token", *arguments)

    assert done.returncode == 2
    assert "api-" not in done.stdout


def test_insights_are_rebuilt_from_a_data_directory_alone(tmp_path: Path) -> None:
    empty = run("insights", "rebuild", "--data", str(tmp_path / "nothing"))
    assert empty.returncode == 1
    assert "holds no data of a router" in empty.stderr
    with router(tmp_path / "data") as process:
        busy = run("insights", "rebuild", "--data", str(process.data))
        assert busy.returncode == 75
        assert process.stop() == 0
    done = run("insights", "rebuild", "--data", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (0, "default/production: 0 events counted, 0 flag changes\n")
