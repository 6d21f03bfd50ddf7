"""What docs/insights.md shows is what happens."""

import re
import subprocess
from pathlib import Path

from router.http.allowance import ROUTE
from router.http.insights_query import DEFAULT_LIMIT, MAX_LIMIT, MOST_STEPS
from tests.process import router
from tests.sdk import insights

PAGE = (Path(__file__).parents[2] / "docs" / "insights.md").read_text()


def blocks(marker: str) -> list[str]:
    return re.findall(rf"<!-- {marker} -->\n```(?:sh)?\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_print_what_they_say() -> None:
    commands, outputs = blocks("run"), blocks("prints")
    assert len(commands) == len(outputs) == 3
    with router() as process:
        for command, expected in zip(commands, outputs, strict=True):
            here = command.replace("http://127.0.0.1:8080", process.url)
            done = subprocess.run(["bash", "-ec", here], capture_output=True, text=True, check=True)
            for line in expected.splitlines():
                assert line in done.stdout, f"{here}\nprinted\n{done.stdout}"
            insights.wait_indexed(process.url)


def test_the_limits_are_those_that_hold() -> None:
    assert f"| `limit` | {DEFAULT_LIMIT} | 1 to {MAX_LIMIT} |" in PAGE
    assert f"at most {MOST_STEPS} steps" in PAGE
    assert f"{ROUTE} times in ten seconds" in PAGE
