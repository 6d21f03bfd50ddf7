"""`router backup`, `router restore` and `router fsck`."""

import json
import sys
from pathlib import Path

import click

from router.commands.client import Client
from router.store import backup, fsck


def make(client: Client, target: Path) -> None:
    """Copy a consistent state of the running router into `target`.

    Raises:
        Unanswered: the router cannot be asked.
        FileExistsError: `target` holds something.
        OSError: the checkpoint cannot be read or `target` not be written.
    """
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty: choose a directory that is new, or empty it")
    made = client.call("POST", "/backups")
    try:
        with click.progressbar(length=made["bytes"], label="copying") as bar:
            backup.copy(Path(made["path"]), target, progress=bar.update)
    finally:
        client.call("DELETE", f"/backups/{made['id']}")
    click.echo(f"{target}: {made['bytes']} bytes; `router restore {target}` puts them back")


def restore(source: Path, target: Path) -> None:
    """Put a backup where a router that is stopped has its data.

    Raises:
        FileExistsError: `target` holds something.
        ValueError: `source` is no backup.
    """
    with click.progressbar(length=backup.size(source) if source.is_dir() else 0, label="copying") as bar:
        logs = backup.restore(source, target, progress=bar.update)
    click.echo(f"{target}: {logs} logs restored; readers from before are told so with a `reset`")


def check(path: Path, *, as_json: bool) -> bool:
    """Print every damaged stretch below `path`; whether there was none.

    Raises:
        ValueError: `path` holds no data of a router.
    """
    findings = 0
    with click.progressbar(label="events read", length=0, file=sys.stderr, hidden=as_json) as bar:
        for result in fsck.check(path, progress=bar.update):
            findings += isinstance(result, fsck.Finding)
            click.echo(json.dumps(_as_json(result)) if as_json else _as_text(result))
    if not as_json:
        click.echo(f"{path}: {findings} damaged stretches" if findings else f"{path}: no damage")
    return not findings


def _as_text(result: fsck.Checked | fsck.Finding) -> str:
    if isinstance(result, fsck.Finding):
        return f"damaged: {result}"
    return f"{result.name}: {result.events} events read, offsets {result.low} to {result.head - 1}"


def _as_json(result: fsck.Checked | fsck.Finding) -> dict[str, object]:
    if isinstance(result, fsck.Finding):
        return {"where": result.where, "what": result.what}
    return {"environment": str(result.name), "events": result.events, "low": result.low, "head": result.head}
