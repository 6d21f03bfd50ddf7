"""The `router` command."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
import trio

from router import __version__, config, daemon, logs
from router.actors.supervisor import RestartsExceeded
from router.clocks import SystemClock
from router.errors import Fatal
from router.pipeline.rebuild import Rebuilt
from router.pipeline.rebuild import rebuild as rebuild_insights
from router.store.engine import Damaged, Locked
from router.systemd import Notifier

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
        logs.configure(settings.log.level, settings.log.format)
        _serve(settings, demo=demo)


def _serve(settings: config.Config, *, demo: bool) -> None:
    def announce(running: daemon.Running) -> None:
        click.echo(f"router {__version__} serves on {', '.join(running.addresses)}")
        if demo:
            click.echo(_paste(next((url for url in running.addresses if url.startswith("http")), "")))
        sys.stdout.flush()

    daemon.calm_collector()
    try:
        trio.run(_run, settings, announce)
    except Locked:
        _fail(IN_USE, f"{settings.storage.path} is in use by another router: stop it, or choose another --data")
    except (Fatal, Damaged, RestartsExceeded) as error:
        _fail(FAILED, str(error))
    except (OSError, ValueError) as error:
        _fail(FAILED, str(error))


async def _run(settings: config.Config, announce: daemon.Announce) -> None:
    await daemon.run(settings, announce=announce, notifier=Notifier(os.environ))


@main.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
def check(path: Path) -> None:
    """Validate a configuration and print every fault with its place."""
    try:
        settings = config.read(path, environ=os.environ)
    except config.ConfigurationError as error:
        _report(error)
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
