"""Where secrets come from: written in place, in a file of their own, or in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from router.config.files import Stamp, stamp

MAX_SECRET: Final = 64 * 1024  # bytes of a secret file: a key has about 50; more is another file named by mistake


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Reads the secrets that a configuration only names.

    environ: environment variables; `CREDENTIALS_DIRECTORY`, which systemd sets for `LoadCredential=`
    (systemd.io/CREDENTIALS), is where a relative file is looked for first.
    directory: where it is looked for next: the directory of the configuration file.
    files: what has been looked for, as it was just before it was read.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path = Path()
    files: dict[Path, Stamp | None] = field(default_factory=dict, repr=False, compare=False)

    def locate(self, path: str) -> Path:
        """The file that `path` names; where there is none, the last place that was tried.

        Raises:
            ValueError: `path` cannot be the name of a file.
        """
        if not path or "\0" in path:
            raise ValueError("the name of the file is empty or has a NUL in it")
        located = self._find(path)
        self.files[located] = stamp(located)
        return located

    def _find(self, path: str) -> Path:
        credentials = self.environ.get("CREDENTIALS_DIRECTORY")
        if credentials:
            passed = Path(credentials, path)  # an absolute `path` replaces the directory
            try:
                passed.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return self.directory / path
            except OSError:
                pass  # whoever opens it is told why it cannot be
            return passed
        return self.directory / path

    def file(self, path: str) -> str:
        """The contents of a secret file, without the line break at its end.

        Raises:
            ValueError: it cannot be read, is too long or is no text. The message holds nothing of its contents.
        """
        located = self.locate(path)
        try:
            with located.open("rb") as stream:
                contents = stream.read(MAX_SECRET + 1)
        except OSError as error:
            raise ValueError(f"cannot read the file {located}: {reason(error)}") from None
        if len(contents) > MAX_SECRET:
            raise ValueError(f"the file {located} has more than {MAX_SECRET} bytes: a secret has a file of its own")
        try:
            return contents.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError(f"the file {located} is not UTF-8 text") from None

    def variable(self, name: str) -> str:
        """The value of an environment variable.

        Raises:
            ValueError: it is not set.
        """
        if not (name.isidentifier() and name.isascii()):
            # Not shown: it may be the secret itself, written in the wrong place.
            raise ValueError("env must be the name of an environment variable: letters, digits and underscore")
        value = self.environ.get(name)
        if value is None:
            raise ValueError(f"the environment variable {name} is not set")
        return value.rstrip("\r\n")


def reason(error: OSError) -> str:
    """What the system said, in lower case, without the path that the caller names anyway."""
    return (error.strerror or type(error).__name__).lower()
