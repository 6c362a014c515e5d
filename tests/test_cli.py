"""The command line as people meet it: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from click.testing import CliRunner

from app import __version__
from app.cli import main
from tests.contract.client import ask
from tests.gateway import ROOT, bare_environment, config, free_port, running
from tests.upstream import Raw, Upstream

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to; blanks and line ends of its texts are single blanks."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("check", "--online", KEY="…")`: that command in an empty folder and an empty environment."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **environment: str) -> Ended:
        nothing: dict[str, str | None] = dict.fromkeys(os.environ)
        ended = CliRunner().invoke(main, arguments, env=nothing | bare_environment(tmp_path) | environment)
        assert ended.exception is None or isinstance(ended.exception, SystemExit)
        return Ended(ended.exit_code, " ".join(ended.stdout.split()), " ".join(ended.stderr.split()))

    return call


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Settings | str], None]:
    """Writes opencode.json."""

    def to_file(content: Settings | str) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "opencode.json").write_text(text)

    return to_file


Write = Callable[[Settings | str], None]

NOBODY = "http://127.0.0.1:9/v1"

# ─── help, versions, mistakes ────────────────────────────────────────────────────────────────────


def test_the_help_names_the_commands_and_every_option(run: Run) -> None:
    assert "check" in (told := run("--help").out)
    assert "serve Start the gateway." in told
    told = run("serve", "-h").out
    for option in ("--host", "--port", "--config", "--workers", "--log-level", "--insecure"):
        assert option in told
    assert "[127.0.0.1]" in told
    assert "[4242]" in told
    assert "--online" in run("check", "--help").out


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version") == Ended(0, f"localcode, version {__version__}", "")


def test_the_package_itself_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "check", "--config", "nowhere.json"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=bare_environment(tmp_path), capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "LocalCode cannot start:\n  nowhere.json\n    there is no such file\n" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["serve", "--prot", "5"], 2, "No such option"),
        (["serve", "--port", "abc"], 2, "'abc' is not a valid integer"),
        (["serve", "--port", "0"], 1, "--port '0' is no whole number from 1 to 65535 -> for example 4242"),
        (["serve", "--port", "99999"], 1, "'99999' is no whole number from 1 to 65535"),
        (["serve", "--workers", "0"], 1, "--workers '0' is no whole number from 1 to 256"),
        (["serve", "--log-level", "loud"], 1, "it is one of DEBUG, INFO, WARNING, ERROR"),
        (["serve", "--host", "a b"], 1, "'a b' is no host"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_right(
    run: Run, write: Write, arguments: list[str], code: int, words: str
) -> None:
    write(config(NOBODY, {"model": "wire"}))
    ended = run(*arguments)

    assert ended.code == code
    assert words in ended.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("LOCALCODE_PORT", "many", "LOCALCODE_PORT 'many' is no whole number"),
        ("LOCALCODE_WORKER_CLASS", "sync", "it is one of gevent, gthread"),
        ("LOCALCODE_LOG_FORMAT", "xml", "it is one of auto, console, json"),
        ("LOCALCODE_MAX_BODY_MB", "-1", "no number of megabytes above 0"),
        ("LOCALCODE_API_KEYS", "/nowhere/keys", "the file /nowhere/keys cannot be read"),
        ("LOCALCODE_API_KEYS", "one,,tw o", "a key is empty or holds a blank"),
        ("LOCALCODE_CORS_ORIGINS", "localhost:3000", "'localhost:3000' is no origin"),
        ("LOCALCODE_INSECURE", "perhaps", "write 1 or 0"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(
    run: Run, write: Write, variable: str, value: str, words: str
) -> None:
    write(config(NOBODY, {"model": "wire"}))
    ended = run("serve", **{variable: value})

    assert ended.code == 1
    assert words in ended.err


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_configuration_that_is_not_there_is_named_with_the_mend(run: Run, command: str) -> None:
    without, named = run(command), run(command, "--config", "elsewhere/mine.json")

    assert (without.code, named.code) == (1, 1)
    assert (
        "opencode.json there is no such file -> name yours with --config or LOCALCODE_CONFIG" in without.err
    )
    assert "elsewhere/mine.json there is no such file" in named.err


def test_a_folder_is_no_configuration(run: Run) -> None:
    ended = run("check", "--config", "/")

    assert ended.code == 1
    assert "cannot be read" in ended.err


# ─── check ───────────────────────────────────────────────────────────────────────────────────────


def test_a_good_file_is_told_and_ends_with_0(run: Run, write: Write) -> None:
    write("// mine\n" + json.dumps(config(NOBODY, {"model": "wire-model"})))
    ended = run("check")

    assert ended.code == 0
    assert "opencode.json: 1 model, 1 ready" in ended.out
    assert "model up/wire-model 127.0.0.1:9 relay ready" in ended.out
    assert "sk-of-the-target" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"provider": {\n  "up": ]}', "opencode.json:2:9"),
        ("", "opencode.json:1:1 the file is empty"),
        ("[]", "an object is expected, found a list"),
        ('{"provider": {"up": 5}}', "provider.up an object is expected, found 5"),
        ('{"provider": {"up": {"models": {"a": 5}}}}', "provider.up.models.a an object is expected, found 5"),
        ("{}", "provider no provider is named"),
    ],
)
def test_a_bad_file_is_told_with_its_place_and_ends_with_1(
    run: Run, write: Write, content: str, place: str
) -> None:
    write(content)
    ended = run("check")

    assert ended.code == 1
    assert place in ended.out + ended.err


def test_a_model_with_a_mistake_stays_in_sight_and_its_clients_hear_why(tmp_path: Path) -> None:
    file = config(NOBODY, {"good": "wire", "bad": "wire"})
    file["provider"]["up"]["models"]["bad"]["options"] = {"localcode": {"harmony": "yes"}}
    place = "provider.up.models.bad.options.localcode.harmony"
    with running(tmp_path, file) as gateway:
        asked = ask(gateway.url, "bad")
        listed = requests.get(f"{gateway.url}/v1/models/bad", timeout=10).json()
        told = gateway.log()

    assert (asked.status, asked.error["type"]) == (400, "invalid_request_error")
    assert asked.error["message"] == (
        f"'bad' cannot be used: its entry is wrong: {place} (python -m app check says more)"
    )
    assert (listed["available"], listed["unavailable"]) == (False, f"its entry is wrong: {place}")
    assert "2 models, 1 ready" in told
    assert f"off: its entry is wrong: {place}" in told


def test_a_key_that_is_missing_is_told_by_its_variable_and_is_no_mistake(run: Run, write: Write) -> None:
    write(config(NOBODY, {"model": "wire"}, apiKey="{env:UP_KEY}"))

    without, with_key = run("check"), run("check", UP_KEY="sk-1234567")

    assert "off: UP_KEY is not set" in without.out
    assert "1 model, 1 ready" in with_key.out
    assert (without.code, with_key.code) == (0, 0)


def test_the_file_that_ships_is_without_mistakes_before_any_key_is_there(run: Run) -> None:
    ended = run("check", "--config", str(ROOT / "opencode.json"))

    assert ended.code == 0
    assert "off: GEMINI_API_KEY is not set" in ended.out


def test_a_dotenv_file_is_read_and_the_environment_wins(run: Run, write: Write, tmp_path: Path) -> None:
    write(config(NOBODY, {"model": "wire"}, apiKey="{env:UP_KEY}"))
    (tmp_path / ".env").write_text("# mine\nexport UP_KEY='sk-from-the-file'\nLOCALCODE_PORT=nonsense\n")

    assert "LOCALCODE_PORT 'nonsense' is no whole number" in run("check").err
    assert "1 model, 1 ready" in run("check", LOCALCODE_PORT="4000").out


def test_a_wrong_line_of_a_dotenv_file_is_named(run: Run, write: Write, tmp_path: Path) -> None:
    write(config(NOBODY, {"model": "wire"}))
    (tmp_path / ".env").write_text("GOOD=1\nthis is wrong\n")
    ended = run("check")

    assert ended.code == 1
    assert ".env:2 this is no line of the form NAME=value" in ended.err


def test_a_misspelt_setting_is_noticed(run: Run, write: Write) -> None:
    write(config(NOBODY, {"model": "wire"}))
    ended = run("check", LOCALCODE_PROT="5000")

    assert ended.code == 0
    assert "LOCALCODE_PROT there is no such setting -> did you mean LOCALCODE_PORT?" in ended.out


def test_what_keeps_the_gateway_from_starting_here_is_a_problem(run: Run, write: Write) -> None:
    write(config(NOBODY, {"model": "wire"}))
    open_door, guarded = run("check", LOCALCODE_HOST="0.0.0.0"), run("check", LOCALCODE_INSECURE="1")

    assert (open_door.code, guarded.code) == (1, 0)
    assert "0.0.0.0 can be reached from other machines" in open_door.out


# ─── check --online ──────────────────────────────────────────────────────────────────────────────


def test_models_that_are_there_are_all_well(run: Run, write: Write, upstream: Upstream) -> None:
    write(config(upstream.base_url, {"model": "wire-of-model", "lite": "wire-of-lite"}))
    ended = run("check", "--online")

    assert ended.code == 0
    assert "compared 2 of 2 models" in ended.out
    assert [(seen.method, seen.path) for seen in upstream.requests] == [("GET", "/v1/models")]


def test_models_that_are_gone_are_named_with_those_like_them(
    run: Run, write: Write, upstream: Upstream
) -> None:
    write(config(upstream.base_url, {"model": "wire-of-modell", "lite": "wire-of-lite"}))
    ended = run("check", "--online")

    assert ended.code == 1
    assert "model its provider does not list 'wire-of-modell' any more -> it lists wire-of-model" in ended.out
    assert "lite its provider" not in ended.out


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (Raw(401, b'{"error": "sk-of-the-target is wrong"}'), "refuses the key"),
        (Raw(404, b"not here"), "is the base URL right?"),
        (Raw(200, b"<html>"), "not JSON"),
    ],
)
def test_a_provider_that_gives_no_list_is_told_and_is_not_taken_for_well(
    run: Run, write: Write, upstream: Upstream, raw: Raw, why: str
) -> None:
    upstream.answer("GET", "/v1/models", raw)
    write(config(upstream.base_url, {"model": "wire-of-model"}))
    ended = run("check", "--online")

    assert ended.code == 1
    assert why in ended.out
    assert "sk-of-the-target" not in ended.out + ended.err


def test_a_provider_that_is_not_there_is_told_too(run: Run, write: Write) -> None:
    write(config(f"http://127.0.0.1:{free_port()}/v1", {"model": "wire"}))

    ended = run("check", "--online")

    assert ended.code == 1
    assert "cannot be reached" in ended.out


# ─── serve ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_not_let_in_without_a_key(run: Run, write: Write, host: str) -> None:
    write(config(NOBODY, {"model": "wire"}))
    for ended in (run("serve", "--host", host), run("serve", LOCALCODE_HOST=host)):
        assert ended.code == 1
        assert f"{host} can be reached from other machines" in ended.err
        assert "who reaches it uses your providers' keys" in ended.err
        assert "set LOCALCODE_API_KEYS, or listen on 127.0.0.1, or say --insecure" in ended.err
        assert "Ctrl-C stops" not in ended.out


@pytest.mark.parametrize(
    ("options", "environment", "status"),
    [
        (["--insecure"], {}, 200),
        ([], {"LOCALCODE_INSECURE": "1"}, 200),
        ([], {"LOCALCODE_API_KEYS": "lc-some-key"}, 401),
    ],
)
def test_they_are_with_keys_or_on_demand(
    tmp_path: Path, options: list[str], environment: dict[str, str], status: int
) -> None:
    file = config(NOBODY, {"model": "wire"})
    with running(tmp_path, file, "--host", "0.0.0.0", *options, **environment) as gateway:
        assert requests.get(f"{gateway.url}/v1/models", timeout=10).status_code == status


def test_options_win_over_variables_and_variables_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOCALCODE_PORT=1\nLOCALCODE_LOG_LEVEL=ERROR\n")
    file = config(NOBODY, {"model": "wire"})
    with running(tmp_path, file, LOCALCODE_PORT="2", LOCALCODE_LOG_LEVEL="INFO") as gateway:
        ask(gateway.url, "nobody")

        assert "model_not_found" in gateway.log()


def test_litellms_config_yaml_serves_in_its_place(tmp_path: Path, upstream: Upstream) -> None:
    params = {"model": "openai/wire-of-model", "api_base": upstream.base_url, "api_key": "os.environ/THE_KEY"}
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"model_list": [{"model_name": "mine", "litellm_params": params}]}))
    with running(tmp_path, file, THE_KEY="sk-of-the-yaml") as gateway:
        asked = ask(gateway.url, "mine", "text", stream=True)

    assert asked.done
    assert {chunk["model"] for chunk in asked.chunks} == {"mine"}
    assert upstream.last.header("authorization") == "Bearer sk-of-the-yaml"


def test_the_file_that_ships_answers_without_any_key(tmp_path: Path) -> None:
    with running(tmp_path, ROOT / "opencode.json") as gateway:
        asked = ask(gateway.url, "echo", stream=True)

        assert asked.done
        assert asked.text
        assert "is not set" in gateway.log()
