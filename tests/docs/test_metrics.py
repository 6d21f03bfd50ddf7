"""docs/metrics.md lists what is exported, no more and no less; the dashboard and the alerts ask for nothing else."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.process import router

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "metrics.md").read_text()
DASHBOARD = ROOT / "ops" / "grafana-dashboard.json"
ALERTS = ROOT / "ops" / "alerts.yml"


def documented() -> dict[str, tuple[str, str, str]]:
    """Type, labels and meaning by name, of the router's own."""
    rows = re.findall(r"^\| `(router_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    return {name: (kind, labels, meaning) for name, kind, labels, meaning in rows}


def asked(text: str) -> set[str]:
    """Names of families in queries."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\brouter_\w+", text)}


def test_what_is_exported_is_what_is_documented() -> None:
    with (
        router() as process,
        urllib.request.urlopen(f"{process.url}/metrics", timeout=10) as answer,
    ):
        text = answer.read().decode()
    exported = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in text_string_to_metric_families(text)
        if family.name.startswith("router_")
    }

    assert {name: (kind, meaning) for name, (kind, _, meaning) in documented().items()} == exported


def test_queries_ask_for_what_is_there() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    known = set(documented())

    assert len(expressions) > 10
    assert asked(" ".join(expressions)) <= known
    assert asked(re.sub(r"#.*", "", "\n".join(re.findall(r"expr: (.*)", ALERTS.read_text())))) <= known


@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts-test.yml")])
def test_promtool_accepts_the_alerts(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's prometheus package) is not installed: the alert rules go unchecked")
    done = subprocess.run([promtool, *arguments], cwd=ROOT / "ops", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_to_complain_of_in_what_is_exported() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's prometheus package) is not installed: the metrics' names go unchecked")
    with (
        router() as process,
        urllib.request.urlopen(f"{process.url}/metrics", timeout=10) as answer,
    ):
        text = answer.read()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
