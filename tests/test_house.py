"""The rules of the house: lint, types, import floors, and a test file for every module."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_tool_finds_nothing(command: tuple[str, ...]) -> None:
    """Linting, formatting, types and floors hold for the whole tree."""
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def modules() -> list[Path]:
    return sorted(
        path.relative_to(ROOT / "router") for path in (ROOT / "router").rglob("*.py") if not path.name.startswith("__")
    )


@pytest.mark.parametrize("module", modules(), ids=str)
def test_module_has_a_test_file(module: Path) -> None:
    """`tests/` mirrors `router/` file by file."""
    folder = ROOT / "tests" / module.parent
    assert list(folder.glob(f"test_{module.stem}*.py")), f"no tests/{module.parent}/test_{module.stem}.py"


@pytest.mark.parametrize("path", [*(ROOT / "router").rglob("*.py"), *(ROOT / "tests").rglob("*.py")], ids=str)
def test_file_is_of_a_size_to_be_read(path: Path) -> None:
    """One noun per file, about 400 lines at most."""
    assert len(path.read_text().splitlines()) <= 440
