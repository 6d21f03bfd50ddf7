"""Logging: one structured line per happening, on standard error; JSON for machines, columns for a terminal.

What strangers send can stand in a line, but cannot begin one, nor move the cursor of whoever reads it; and the
router's own secrets do not stand in one at all.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any, Final, TextIO

import structlog

# Never the values of variables: requests hold keys.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
# C0 and C1 controls, the line and paragraph separators, and what turns the direction of writing.
_CONTROLS: Final = (
    *(*range(0x20), *range(0x7F, 0xA0), 0x061C),
    *(*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A)),
)
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_ESCAPED: Final = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS}
_ESCAPED_LINES: Final = {code: text for code, text in _ESCAPED.items() if code not in (0x09, 0x0A)}


class Curtain:
    """What is kept out of the log: `redact` replaces it in a line, and may itself be replaced."""

    def __init__(self, redact: Callable[[bytes], bytes] = lambda line: line) -> None:
        self.redact = redact


def configure(level: str = "info", form: str = "auto", curtain: Curtain | None = None) -> None:
    """Send everything, the standard library's loggers included, to standard error.

    level: a name of the logging module. form: `json`, `console`, or `auto`: console on a terminal, else JSON.
    In systemd's journal each line has the priority of its level.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Any] = (
        [_escape_controls, structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
        if console
        else [_TRACEBACKS, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Covered(
            curtain or Curtain(),
            journal=is_journal(os.environ, 2),
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Quart logs a traceback for every exception of a handler, which our error handlers have answered already.
    logging.getLogger("quart.app").setLevel(logging.ERROR)
    # A line for every request that a forward sends would wear the disk that it is kind to otherwise.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpcore2").setLevel(logging.WARNING)


class _Covered(structlog.stdlib.ProcessorFormatter):
    def __init__(self, curtain: Curtain, *, journal: bool, **options: Any) -> None:  # noqa: ANN401 - structlog's own
        super().__init__(**options)
        self._curtain = curtain
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).encode("utf-8", "backslashreplace")
        text = self._curtain.redact(line).decode("utf-8", "replace")
        if not self._journal:
            return text
        prefix = f"<{priority(record.levelno)}>"
        return prefix + text.replace("\n", f"\n{prefix}")


def priority(level: int) -> int:
    """syslog's number (syslog(3)) for a level of the logging module."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def is_journal(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether what is written to `descriptor` goes to the journal by itself: systemd says which stream that is
    (systemd.exec(5), JOURNAL_STREAM), and a shell in between may have put another in its place."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _escape_controls(_logger: object, _name: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: _escaped(value) if key != "exc_info" else value for key, value in fields.items()}


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else str(value).translate(_ESCAPED)


def _traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Each line behind a bar: the text of an exception may hold what was sent."""
    text = StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    lines = text.getvalue().translate(_ESCAPED_LINES).strip("\n").split("\n")
    out.write("\n" + "\n".join(f"  | {line}" for line in lines))
