"""The `router` command."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import click
import trio

from router import __version__, config, daemon, logs
from router.actors.supervisor import RestartsExceeded
from router.clocks import SystemClock
from router.commands import backup as copies
from router.commands import export as exports
from router.commands import status as statuses
from router.commands.client import Client, Unanswered
from router.commands.tail import Selection, follow
from router.credentials import Scope, digest, new_token
from router.errors import Fatal
from router.names import EnvironmentName
from router.pipeline.rebuild import Rebuilt
from router.pipeline.rebuild import rebuild as rebuild_insights
from router.redaction import Redactor
from router.store.engine import Damaged, Locked, NoSpace
from router.systemd import Notifier
from router.tuning import tune

FAILED = 1
BAD_CONFIGURATION = 2
IN_USE = 75  # EX_TEMPFAIL: the same command may work a moment later
DEFAULT_CONFIG = Path("/etc/router/router.toml")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="router")
def main() -> None:
    """Takes the events of feature-flag SDKs, makes them durable, and lets anyone follow them."""


@main.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help=f"Configuration file [default: {DEFAULT_CONFIG}]."
)
@click.option("--data", type=click.Path(path_type=Path), help="Data directory; wins over the configuration.")
@click.option("--bind", multiple=True, help="Address to listen on; wins over the configuration; may be repeated.")
@click.option("--demo", is_flag=True, help="Serve on 127.0.0.1:8080 with fixed demo credentials, no configuration.")
def serve(path: Path | None, data: Path | None, bind: tuple[str, ...], demo: bool) -> None:
    """Run the daemon in the foreground."""
    if demo and path is not None:
        _fail(BAD_CONFIGURATION, "--demo needs no configuration: leave out --config or --demo")
    with _data_directory(data, temporary=demo) as directory:
        try:
            if demo:
                settings = config.demo(bind=bind, data=directory or Path())
            else:
                settings = config.read(path or DEFAULT_CONFIG, environ=os.environ, bind=bind, data=directory)
        except config.ConfigurationError as error:
            _report(error)
        curtain = logs.Curtain(Redactor(settings.secrets()))
        logs.configure(settings.log.level, settings.log.format, curtain)
        reread = partial(config.read, path or DEFAULT_CONFIG, environ=os.environ, bind=bind, data=directory)
        _serve(settings, None if demo else reread, curtain)


def _serve(settings: config.Config, reread: Callable[[], config.Config] | None, curtain: logs.Curtain) -> None:
    def announce(running: daemon.Running) -> None:
        click.echo(f"router {__version__} serves on {', '.join(running.addresses)}")
        if reread is None:
            click.echo(_paste(next((url for url in running.addresses if url.startswith("http")), "")))
        sys.stdout.flush()

    tune()
    try:
        trio.run(_run, settings, reread, announce, curtain)
    except Locked:
        _fail(IN_USE, f"{settings.storage.path} is in use by another router: stop it, or choose another --data")
    except (Fatal, Damaged, NoSpace, RestartsExceeded) as error:
        _fail(FAILED, str(error))
    except (OSError, ValueError) as error:
        _fail(FAILED, str(error))


async def _run(
    settings: config.Config,
    reread: Callable[[], config.Config] | None,
    announce: daemon.Announce,
    curtain: logs.Curtain,
) -> None:
    try:
        await daemon.run(settings, announce=announce, notifier=Notifier(os.environ), reread=reread, curtain=curtain)
    finally:
        # What is left is the interpreter's end: a second signal in that moment must not turn a clean exit into a kill.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


@main.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(path: Path, as_json: bool) -> None:
    """Validate a configuration and print every fault with its place."""
    try:
        settings = config.read(path, environ=os.environ)
    except config.ConfigurationError as error:
        if not as_json:
            _report(error)
        faults = [{"place": fault.place, "message": fault.message} for fault in error.faults]
        click.echo(json.dumps({"good": False, "faults": faults}, ensure_ascii=False))
        raise SystemExit(BAD_CONFIGURATION) from None
    if as_json:
        click.echo(json.dumps({"good": True, "faults": []}))
        return
    click.echo(f"{path}: good; {len(settings.environments)} environments, {len(settings.tokens)} tokens")


@main.group()
def insights() -> None:
    """What flag changes did: counts and flag events, made from the log."""


@insights.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration, for the data directory.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory; wins over the configuration.")
def rebuild(path: Path | None, data: Path | None) -> None:
    """Count everything in the log again, while the daemon is stopped."""
    ages = {}
    if path is not None or data is None:
        try:
            settings = config.read(path or DEFAULT_CONFIG, environ=os.environ, data=data)
        except config.ConfigurationError as error:
            _report(error)
        data = settings.storage.path
        ages = {environment.name: environment.insights_age for environment in settings.environments}
    if not (data / "CURRENT").exists():
        _fail(FAILED, f"{data} holds no data of a router: name its directory with --data")

    def done(rebuilt: Rebuilt) -> None:
        click.echo(f"{rebuilt.name}: {rebuilt.events} events counted, {rebuilt.changes} flag changes")

    try:
        trio.run(rebuild_insights, data, ages, SystemClock(), done)
    except Locked:
        _fail(IN_USE, f"{data} is in use: stop the router first")
    except (Fatal, Damaged, OSError, ValueError) as error:
        _fail(FAILED, str(error))


ROUTER_URL = "http://127.0.0.1:8080"
_url = click.option("--url", default=ROUTER_URL, show_default=True, envvar="ROUTER_URL", help="Address of the router.")
_token = click.option("--token", envvar="ROUTER_TOKEN", help="API token; read from $ROUTER_TOKEN too.")


@main.command()
@_url
@_token
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def status(url: str, token: str | None, as_json: bool) -> None:
    """Show the actors, environments and streams of a running router. Exits 0 when it is healthy, else 1."""
    try:
        healthy = statuses.show(Client(url, token), shutil.get_terminal_size().columns, as_json=as_json)
    except Unanswered as error:
        _fail(FAILED, str(error))
    raise SystemExit(0 if healthy else FAILED)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@_url
@_token
def backup(directory: Path, url: str, token: str | None) -> None:
    """Copy a consistent state of the running router into DIRECTORY, which must be new or empty.

    Run it on the router's machine: the data is copied from its files.
    """
    try:
        copies.make(Client(url, token), directory)
    except (Unanswered, OSError) as error:
        _fail(FAILED, str(error))


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--config", "path", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Where to; wins over the configuration.")
def restore(directory: Path, path: Path, data: Path | None) -> None:
    """Put the backup in DIRECTORY back where a stopped router has its data, which must be new or empty."""
    target = data or _configured(path).storage.path
    try:
        copies.restore(directory, target)
    except Locked:
        _fail(IN_USE, f"{target} is in use by a router: stop it first")
    except (Fatal, Damaged, OSError, ValueError) as error:
        _fail(FAILED, str(error))


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--config", "path", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def fsck(directory: Path | None, path: Path, as_json: bool) -> None:
    """Read all data in DIRECTORY, by default the configured one, and name every damaged range. Changes nothing."""
    target = directory or _configured(path).storage.path
    try:
        sound = copies.check(target, as_json=as_json)
    except (Fatal, OSError, ValueError) as error:
        _fail(FAILED, str(error))
    raise SystemExit(0 if sound else FAILED)


@main.command(name="export")
@click.option("--env", "environment", required=True, help="PROJECT/ENVIRONMENT.")
@click.option("--from", "begin", help='Events that arrived since then: ISO 8601, milliseconds, or "7d" for ago.')
@click.option("--to", "end", help="Events that arrived before then.")
@click.option("--format", "form", type=click.Choice([item.value for item in exports.Format]), default="ndjson")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; NDJSON may go to stdout.")
@click.option("--config", "path", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Data directory or backup; wins over the configuration.")
def export_events(
    environment: str,
    begin: str | None,
    end: str | None,
    form: str,
    out: Path | None,
    path: Path,
    data: Path | None,
) -> None:
    """Write an environment's events to a file for analysis. The router may run meanwhile; nothing is changed."""
    if out is None and form == exports.Format.PARQUET:
        _fail(BAD_CONFIGURATION, "Parquet cannot go to the terminal: name a file with --out")
    try:
        now = SystemClock().now()
        chosen = exports.Export(
            data or _configured(path).storage.path,
            EnvironmentName.parse(environment),
            None if begin is None else exports.when(begin, now),
            None if end is None else exports.when(end, now),
        )
        with (
            chosen,
            click.open_file(str(out or "-"), "wb") as file,
            _progress(chosen.count, shown=out is not None) as bar,
        ):
            lost = exports.write(chosen, file, exports.Format(form), bar)
    except ImportError as error:
        _fail(FAILED, f"Parquet needs {error.name}: pip install 'flag-event-router[export]'")
    except (exports.NothingThere, Fatal, Damaged, OSError, ValueError) as error:
        _fail(FAILED, str(error))
    for stretch in lost:
        click.echo(f"router: events {stretch.first} to {stretch.last} cannot be read and are left out", err=True)
    raise SystemExit(FAILED if lost else 0)


@contextmanager
def _progress(length: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    if not shown:
        yield lambda _: None
        return
    with click.progressbar(length=length, label="events", file=sys.stderr, update_min_steps=1000) as bar:
        yield bar.update


@main.command()
@_url
@_token
@click.option("--env", "environment", metavar="PROJECT/ENV", help="Which one, where the token covers several.")
@click.option("--kind", help="Canonical kinds, with commas between.")
@click.option("--flag", help="Flag keys, with commas between.")
@click.option("--since", default="latest", show_default=True, help="latest, earliest, a cursor, or a time.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvents envelope a line.")
def tail(
    url: str,
    token: str | None,
    environment: str | None,
    kind: str | None,
    flag: str | None,
    since: str,
    as_json: bool,
) -> None:
    """Follow the events, a line each, until interrupted."""
    try:
        name = None if environment is None else EnvironmentName.parse(environment)
        follow(url, token, Selection(name, kind, flag, since), as_json=as_json)
    except ValueError as error:
        _fail(BAD_CONFIGURATION, str(error))
    except Unanswered as error:
        _fail(FAILED, str(error))
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _configured(path: Path) -> config.Config:
    try:
        return config.read(path, environ=os.environ)
    except config.ConfigurationError as error:
        _report(error)


@main.command()
@click.option("--name", default="reader", show_default=True, help="What logs call it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be repeated [default: stream].",
)
@click.option(
    "--env", "environments", multiple=True, metavar="PROJECT/ENV", help="Where; may be repeated [default: everywhere]."
)
def token(name: str, scopes: tuple[str, ...], environments: tuple[str, ...]) -> None:
    """Make an API token: printed once, with the configuration block that knows its SHA-256 only."""
    try:
        for environment in environments:
            EnvironmentName.parse(environment)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--env") from None
    if len(name) > 100 or not name.isprintable() or not name:
        raise click.BadParameter("must be 1 to 100 printable characters", param_hint="--name")
    secret = new_token()
    click.echo(f"# The token, shown this once; keep it where its user can read it:\n#   {secret}\n")
    click.echo("# For the configuration; then reload the router with SIGHUP:")
    click.echo("[[token]]")
    click.echo(f"name = {json.dumps(name, ensure_ascii=False)}")
    click.echo(f'sha256 = "{digest(secret).hex()}"')
    click.echo(f"scopes = {json.dumps(list(dict.fromkeys(scopes)) or [Scope.STREAM.value])}")
    click.echo(f"environments = {json.dumps(list(dict.fromkeys(environments)) or ['*'])}")


@contextmanager
def _data_directory(data: Path | None, *, temporary: bool) -> Iterator[Path | None]:
    if data is not None or not temporary:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="router-demo-") as directory:
        yield Path(directory)


def _report(error: config.ConfigurationError) -> NoReturn:
    for problem in error.faults:
        click.echo(str(problem), err=True)
    raise SystemExit(BAD_CONFIGURATION)


def _fail(status: int, message: str) -> NoReturn:
    click.echo(f"router: {message}", err=True)
    raise SystemExit(status)


def _paste(url: str) -> str:
    now = "$(date +%s000)"
    event = (
        f'[{{\\"kind\\":\\"custom\\",\\"key\\":\\"hello\\",\\"creationDate\\":{now},'
        '\\"contextKeys\\":{\\"user\\":\\"me\\"}}]'
    )
    return f"""
Follow the events (leave it running):
  curl -N -H 'Authorization: api_key api-demo' '{url}/events?from=earliest'

Post one, from another shell:
  curl -i -H 'Authorization: sdk-demo' -H 'Content-Type: application/json' {url}/bulk -d "{event}"

What a flag change did:
  curl -H 'Authorization: api-demo' \\
    '{url}/api/v2/engineering-insights/flag-events?projectKey=default&environmentKey=production'

How it is doing:
  curl {url}/health
"""
