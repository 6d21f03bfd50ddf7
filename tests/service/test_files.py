"""The unit files: what systemd's own tools say of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
MOST_EXPOSED = 1.5
NOTIFY_RELOAD = 253  # the first systemd that knows Type=notify-reload


def analyze(*arguments: str) -> str:
    """What `systemd-analyze` prints."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze (Debian's systemd package) is not installed: the units go unchecked")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def installed(folder: Path, *drop_ins: str) -> Path:
    """The units in `folder`, their program put where there is one, as `docs/install.md` installs them."""
    for unit in FOLDER.glob("router*.*"):
        (folder / unit.name).write_text(unit.read_text().replace("/opt/router/bin/router", "/bin/true"))
    for name in drop_ins:
        target = folder / "router.service.d" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((FOLDER / "drop-ins" / name).read_text().replace("/opt/router/bin/router", "/bin/true"))
    return folder


def verify(folder: Path) -> str:
    units = sorted(str(path) for path in folder.glob("router*.*") if path.is_file())
    found = analyze("verify", "--recursive-errors=no", "--man=no", *units)
    return "\n".join(line for line in found.splitlines() if "router" in line)


def test_the_units_are_valid(tmp_path: Path) -> None:
    assert len(list(FOLDER.glob("router*.*"))) == 4
    assert verify(installed(tmp_path)) == ""
    (tmp_path / "router.service").write_text("[Service]\nExecStart=/bin/true\nNoSuchSetting=1\n")
    assert "NoSuchSetting" in verify(tmp_path), "or this test could not fail"


def test_the_drop_in_for_socket_activation_is_valid(tmp_path: Path) -> None:
    assert verify(installed(tmp_path, "socket-activation.conf")) == ""


def test_the_drop_in_for_notify_reload_is_valid(tmp_path: Path) -> None:
    version = re.search(r"systemd (\d+)", analyze("--version"))
    assert version is not None
    if int(version[1]) < NOTIFY_RELOAD:
        pytest.skip(f"systemd {version[1]} is here, and Type=notify-reload came with {NOTIFY_RELOAD}")
    assert verify(installed(tmp_path, "notify-reload.conf")) == ""


@pytest.mark.parametrize("unit", ["router.service", "router-backup.service"])
def test_the_services_are_hardened(unit: str) -> None:
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", analyze("security", "--offline=true", FOLDER / unit))  # type: ignore[arg-type]
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED


def test_the_services_budgets_hold_the_routers() -> None:
    """Of time to drain, and of what it needs to serve as many streams as it takes."""
    unit = (FOLDER / "router.service").read_text()

    assert re.search(r"^Type=notify$", unit, re.MULTILINE)
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]) > 35 + 15
    assert int(re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)[0]) > 2 * 10_000
    assert re.search(r"^RestartPreventExitStatus=2$", unit, re.MULTILINE)
