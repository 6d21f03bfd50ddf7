"""Secrets that are only named: files beside the configuration, systemd's credentials, environment variables."""

from pathlib import Path

import pytest

from router.config.secret import MAX_SECRET, SecretSource


def test_a_relative_file_is_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sdk-1\n")

    assert SecretSource({}, tmp_path).file("key") == "sdk-1"


def test_the_service_managers_file_wins(tmp_path: Path) -> None:
    credentials, beside = tmp_path / "credentials", tmp_path / "etc"
    for directory in (credentials, beside):
        directory.mkdir()
        (directory / "key").write_text(directory.name)
    (beside / "other").write_text("beside")
    source = SecretSource({"CREDENTIALS_DIRECTORY": str(credentials)}, beside)

    assert source.file("key") == "credentials"
    assert source.file("other") == "beside"


def test_an_absolute_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("here")
    source = SecretSource({"CREDENTIALS_DIRECTORY": "/nonexistent"}, Path("/elsewhere"))

    assert source.file(str(tmp_path / "key")) == "here"


def test_only_the_line_break_at_the_end_is_cut(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b" a b \r\n")

    assert SecretSource({}, tmp_path).file("key") == " a b "
    assert SecretSource({"KEY": " a b \n"}).variable("KEY") == " a b "


def test_a_file_that_cannot_be_read_is_named_with_the_systems_reason(tmp_path: Path) -> None:
    source = SecretSource({}, tmp_path)

    with pytest.raises(ValueError, match=f"cannot read the file {tmp_path}/key: no such file or directory"):
        source.file("key")
    with pytest.raises(ValueError, match=f"cannot read the file {tmp_path}: is a directory"):
        source.file(".")


def test_a_name_that_the_system_refuses_is_a_fault_too() -> None:
    with pytest.raises(ValueError, match="file name too long"):
        SecretSource({"CREDENTIALS_DIRECTORY": "/nonexistent"}).file("x" * 300)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="the name of the file is empty or has a NUL in it"):
        SecretSource().file(path)


def test_a_file_that_holds_something_else_is_refused_without_its_contents(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "long").write_bytes(b"hunter2" * MAX_SECRET)
    source = SecretSource({}, tmp_path)

    with pytest.raises(ValueError, match=r"binary is not UTF-8 text$") as binary:
        source.file("binary")
    with pytest.raises(ValueError, match="long has more than 65536 bytes") as long:
        source.file("long")
    assert "hunter2" not in f"{binary.value}{long.value}"
    assert binary.value.__suppress_context__  # the decoding error that it came from holds the bytes


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ValueError, match="the environment variable ROUTER_KEY is not set"):
        SecretSource({}).variable("ROUTER_KEY")


def test_a_secret_in_the_place_of_a_variables_name_is_not_shown() -> None:
    with pytest.raises(ValueError, match="env must be the name of an environment variable") as caught:
        SecretSource({}).variable("sdk-hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_environment_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(SecretSource({"KEY": "hunter2"}))
