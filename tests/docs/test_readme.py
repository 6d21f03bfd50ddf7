"""What the README shows is what happens."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.process import router

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(marker: str) -> str:
    """The code block after `<!-- marker -->`."""
    return blocks(marker)[0]


def blocks(marker: str) -> list[str]:
    return re.findall(rf"<!-- {marker} -->\n```(?:sh)?\n(.*?)```", README, re.DOTALL)


def test_the_examples_print_what_they_say() -> None:
    """The curl commands of "Five minutes with curl" against the demo, with the output shown under each."""
    commands, outputs = blocks("run"), blocks("prints")
    assert len(commands) == len(outputs) == 3
    with router() as process:
        for command, expected in zip(commands, outputs, strict=True):
            here = command.replace("http://127.0.0.1:8080", process.url)
            done = subprocess.run(["bash", "-ec", here], capture_output=True, text=True, check=True)
            for line in expected.splitlines():
                assert line in done.stdout, f"{here}\nprinted\n{done.stdout}"


def test_the_stream_example_shows_the_event() -> None:
    """The reader's commands: follow from the earliest event, then resume after its cursor."""
    posts = blocks("run")[:2]
    follow, resume = re.findall(r"curl -N .*", README)
    with router() as process:
        for post in posts:
            subprocess.run(["bash", "-ec", post.replace("http://127.0.0.1:8080", process.url)], check=True)
        seen = _read(follow.replace("http://127.0.0.1:8080", process.url))
        cursors = re.findall(r"^id: (\S+)$", seen, re.MULTILINE)
        assert [cursor.rsplit("-", 1)[1] for cursor in cursors] == ["0", "1"]
        shown = re.search(r"^data: (.*order-paid.*)$", README, re.MULTILINE)
        assert shown is not None
        assert f"data: {shown[1]}\n" in seen
        resumed = _read(resume.replace("http://127.0.0.1:8080", process.url).replace("qm3x7pbd-0", cursors[0]))
        assert re.findall(r"^id: (\S+)$", resumed, re.MULTILINE) == cursors[1:]


def _read(command: str) -> str:
    """What a streaming curl prints within a second and a half."""
    done = subprocess.run(
        ["bash", "-c", command.replace("curl -N", "curl -sN --max-time 1.5")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 28, done.stderr  # curl's own time-out: the stream had not ended
    return done.stdout


def test_the_two_commands_do_their_own_set_up() -> None:
    """They begin with nothing but Python's venv, and CI runs the second as it stands."""
    demo, tests = block("demo").strip(), block("tests").strip()

    assert demo.startswith("python3 -m venv .venv && ")
    assert demo.endswith("router serve --demo")
    printed = subprocess.run(
        ["sed", "-n", "/<!-- tests -->/,/```$/{/^```/d;/<!--/d;p}", str(ROOT / "README.md")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() == tests


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
