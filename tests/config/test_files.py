"""A file is known by its stamp: whatever changes it, changes that."""

import os
from pathlib import Path

import pytest

from router.config import ConfigurationError, read
from router.config.files import stamp, stamps

ONE = '[[environment]]\nproject = "p"\nkey = "one"\nsdk_keys = [{ file = "one.key" }]\n'


def test_the_stamp_of_a_file_changes_with_it(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("one")
    first = stamp(file)
    assert first is not None
    assert stamp(file) == first

    os.utime(file, ns=(1, 1))
    assert stamp(file) != first
    os.utime(file, ns=(1, first.modified))
    assert stamp(file) == first
    file.write_text("longer")
    os.utime(file, ns=(1, first.modified))
    assert stamp(file) != first
    other.write_text("one")
    os.utime(other, ns=(1, first.modified))
    other.replace(file)
    assert stamp(file) != first, "another file of the same size and time"


def test_a_link_has_the_stamp_of_what_it_leads_to(tmp_path: Path) -> None:
    """A secret that Kubernetes mounts is changed by turning a link."""
    link = tmp_path / "link"
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
    link.symlink_to("one")
    first = stamp(link)
    link.unlink()
    link.symlink_to("two")

    assert stamp(link) != first
    assert stamp(link) == stamp(tmp_path / "two")


def test_what_is_not_there_has_none(tmp_path: Path) -> None:
    assert stamps({tmp_path / "gone": None}) == {tmp_path / "gone": None}


def test_a_configuration_knows_all_the_files_that_it_was_read_from(tmp_path: Path) -> None:
    file, secret = tmp_path / "router.toml", tmp_path / "one.key"
    file.write_text(ONE)
    secret.write_text("sdk-one")
    config = read(file, environ={})

    assert dict(config.files) == {file: stamp(file), secret: stamp(secret)}


@pytest.mark.parametrize("text", [ONE, f"{ONE}odd = 1\n"])
def test_so_does_one_with_faults(tmp_path: Path, text: str) -> None:
    file, secret = tmp_path / "router.toml", tmp_path / "one.key"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(file, environ={})

    assert dict(caught.value.files) == {file: stamp(file), secret: None}


def test_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "gone.toml", environ={})

    assert dict(caught.value.files) == {tmp_path / "gone.toml": None}
