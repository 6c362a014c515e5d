"""`localcode` (or `python -m app`): serve, and check the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from app import __version__
from app.config import read_catalog
from app.config.catalog import Catalog, ConfigError, Problem
from app.config.report import report, section
from app.config.settings import Settings, read_dotenv, read_settings

if TYPE_CHECKING:
    from app.backends.probe import Online

DOTENV = Path(".env")

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="opencode.json, or LiteLLM's config.yaml [opencode.json].",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="localcode")
def main() -> None:
    """LocalCode, a gateway between coding agents and language models."""


@main.command()
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [4242].")
@_CONFIG
@click.option("--workers", type=int, help="Processes [1].")
@click.option("--log-level", help="DEBUG, INFO, WARNING or ERROR [INFO].")
@click.option(
    "--insecure", is_flag=True, default=None, help="Listen beyond this machine without client keys."
)
def serve(**given: Any) -> None:
    """Start the gateway."""
    from app import logs, server

    settings, catalog = _configuration(**given)
    try:
        settings.refuse_open_door()
        server.refuse_taken_address(settings)
    except ConfigError as problem:
        _refuse(problem)
    click.echo(report(catalog))
    click.echo(
        f"\nLocalCode {__version__} on {_url(settings)}/v1  (Ctrl-C stops, SIGHUP reloads {catalog.source})\n"
    )
    if all(target.unavailable for target in catalog.targets.values()):
        click.echo("No model can be used yet: every request will be refused.\n")
    sys.stdout.flush()
    logs.configure(settings.log_level, settings.log_format, catalog.secrets | settings.secrets)
    logs.guard_stderr()
    server.serve(settings, catalog, lambda: _reread(settings))


@main.command()
@_CONFIG
@click.option("--online", is_flag=True, help="Ask each provider whether it still has the models named here.")
def check(config: Path | None, online: bool) -> None:
    """Read the configuration and say what it comes to; exit 1 if anything in it is wrong."""
    settings, catalog = _configuration(config=config)
    click.echo(report(catalog))
    faulty = catalog.faulty
    try:
        settings.refuse_open_door()
    except ConfigError as problem:
        click.echo("\n".join(section("to start it here", [_told(problem)])))
        faulty = True
    if online:
        from app.backends.probe import missing_ids

        found = missing_ids({name: catalog.targets[name] for name in catalog.aliases})
        click.echo(f"\ncompared {found.checked} of {len(catalog.aliases)} models with their providers' lists")
        click.echo("\n".join(section("gone, or not asked", _online_problems(found))))
        faulty = faulty or bool(found.missing) or (bool(found.unchecked) and not found.checked)
    sys.exit(1 if faulty else 0)


def _configuration(**given: Any) -> tuple[Settings, Catalog]:
    """Settings and catalog, or a plain message and exit 1."""
    try:
        settings = read_settings(os.environ, DOTENV, **given)
        catalog = read_catalog(settings.config, settings.environment, settings.own_addresses)
    except ConfigError as problem:
        _refuse(problem)
    return settings, replace(catalog, problems=settings.notes + catalog.problems)


def _reread(settings: Settings) -> Catalog:
    """The catalog as the file, `.env` and the environment say now."""
    environment = {**read_dotenv(DOTENV), **os.environ}
    return read_catalog(settings.config, environment, settings.own_addresses)


def _online_problems(found: Online) -> Iterator[Problem]:
    for gone in found.missing:
        mend = f"it lists {' and '.join(gone.close)}" if gone.close else "ask for its list of models"
        yield Problem(gone.alias, f"its provider does not list {gone.model!r} any more", mend)
    for left in found.unchecked:
        yield Problem(", ".join(left.aliases), left.why)


def _refuse(problem: ConfigError) -> NoReturn:
    click.echo(
        "\n".join(section("LocalCode cannot start", [_told(problem)])),
        err=True,
    )
    sys.exit(1)


def _told(problem: ConfigError) -> Problem:
    return Problem(problem.place, problem.message, problem.mend)


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
