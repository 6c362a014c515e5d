from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.config.catalog import ConfigError
from app.config.settings import VARIABLES, Settings, read_settings


def digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def test_without_anything_set_the_gateway_listens_to_this_machine_alone() -> None:
    settings = read_settings({})

    assert (settings.host, settings.port, settings.config) == ("127.0.0.1", 4242, Path("opencode.json"))
    assert (settings.workers, settings.worker_class, settings.graceful_timeout) == (1, "gevent", 30)
    assert (settings.log_level, settings.log_format, settings.max_body) == ("INFO", "auto", 32 * 1024 * 1024)
    assert (settings.api_keys, settings.cors_origins, settings.insecure) == (frozenset(), (), False)
    assert settings.home == Path.home() / ".localcode"
    assert settings.own_addresses == (("127.0.0.1", 4242),)


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("HOST", "[::1]", "host", "::1"),
        ("PORT", " 8000 ", "port", 8000),
        ("PORT", "", "port", 4242),
        ("CONFIG", "/etc/opencode.json", "config", Path("/etc/opencode.json")),
        ("CONFIG", "~/opencode.json", "config", Path.home() / "opencode.json"),
        ("WORKERS", "4", "workers", 4),
        ("WORKER_CLASS", "GTHREAD", "worker_class", "gthread"),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_LEVEL", "warn", "log_level", "WARNING"),
        ("LOG_FORMAT", "json", "log_format", "json"),
        ("HOME", "/srv/localcode", "home", Path("/srv/localcode")),
        ("CORS_ORIGINS", "http://a:3000/, https://b", "cors_origins", ("http://a:3000", "https://b")),
        ("CORS_ORIGINS", "*", "cors_origins", ("*",)),
        ("STATE_URL", "redis://127.0.0.1:6379/0", "state_url", "redis://127.0.0.1:6379/0"),
        ("STATE_URL", "rediss://redis.example", "state_url", "rediss://redis.example"),
        ("STATE_URL", "unix:///run/redis.sock", "state_url", "unix:///run/redis.sock"),
        ("STATE_URL", "", "state_url", ""),
        ("INSECURE", "yes", "insecure", True),
        ("INSECURE", "0", "insecure", False),
        ("MAX_BODY_MB", "0.5", "max_body", 512 * 1024),
        ("GRACEFUL_TIMEOUT", "0", "graceful_timeout", 0),
    ],
)
def test_each_variable_sets_its_setting(variable: str, value: str, name: str, expected: object) -> None:
    assert getattr(read_settings({f"LOCALCODE_{variable}": value}), name) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOST", "my host"),
        ("HOST", "http://x"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٤٢"),
        ("WORKERS", "0"),
        ("WORKERS", "1.5"),
        ("WORKER_CLASS", "sync"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("CONFIG", "~nobody-of-that-name/x"),
        ("CORS_ORIGINS", "localhost:3000"),
        ("CORS_ORIGINS", "http://a/path"),
        ("INSECURE", "perhaps"),
        ("MAX_BODY_MB", "0"),
        ("MAX_BODY_MB", "lots"),
        ("GRACEFUL_TIMEOUT", "30s"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variable_what_was_found_and_the_mend(
    variable: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({f"LOCALCODE_{variable}": value})

    assert caught.value.place == f"LOCALCODE_{variable}"
    assert any(part in caught.value.message for part in (value, value.partition(",")[0]))
    assert caught.value.mend


def test_the_command_line_wins_over_the_environment() -> None:
    environ = {"LOCALCODE_PORT": "5000", "LOCALCODE_HOST": "::1", "LOCALCODE_LOG_LEVEL": "ERROR"}
    given: dict[str, Any] = {"port": 6000, "host": None, "config": Path("x.json"), "insecure": True}

    settings = read_settings(environ, **given)

    assert (settings.port, settings.host, settings.log_level) == (6000, "::1", "ERROR")
    assert (settings.config, settings.insecure) == (Path("x.json"), True)


def test_a_wrong_value_of_the_command_line_is_named_by_its_option() -> None:
    with pytest.raises(ConfigError, match=r"^--log-level: 'loud' is not known"):
        read_settings({}, log_level="loud")


# --- .env


def test_a_variable_of_the_environment_wins_over_dotenv_and_the_process_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCALCODE_PORT", "KEY_A", "KEY_B"):
        monkeypatch.delenv(name, raising=False)
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        '# keys\nKEY_A=from-file\nexport KEY_B="from file"\nLOCALCODE_PORT=5000\nEMPTY=\nNAKED\n'
    )

    settings = read_settings({"KEY_A": "from-environment"}, dotenv)

    assert dict(settings.environment) == {
        "KEY_A": "from-environment",
        "KEY_B": "from file",
        "LOCALCODE_PORT": "5000",
        "EMPTY": "",
    }
    assert settings.port == 5000
    assert "KEY_B" not in __import__("os").environ
    assert "from file" not in repr(settings)


def test_no_dotenv_is_none_needed(tmp_path: Path) -> None:
    assert dict(read_settings({"A": "1"}, tmp_path / ".env").environment) == {"A": "1"}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(b"A=1\nsk-some secret key\n", ".env:2", id="no assignment"),
        pytest.param(b'A="unclosed\n', ".env:1", id="a quote that is not closed"),
        pytest.param(b"A=\xff\n", ".env", id="not UTF-8"),
    ],
)
def test_a_wrong_dotenv_is_refused_with_its_line_and_without_its_text(
    tmp_path: Path, content: bytes, place: str
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_settings({}, dotenv)

    assert caught.value.place == str(tmp_path / place)
    assert "secret" not in str(caught.value)


def test_a_misspelt_variable_is_noted() -> None:
    [note] = read_settings({"LOCALCODE_PROT": "1", "LOCALCODE_SOMETHING_ELSE": "1"}).notes

    assert (note.place, note.mend, note.fatal) == ("LOCALCODE_PROT", "did you mean LOCALCODE_PORT?", False)


# --- who may come in


def test_client_keys_are_kept_as_digests() -> None:
    settings = read_settings({"LOCALCODE_API_KEYS": "first-key, second-key,"})

    assert settings.api_keys == {digest("first-key"), digest("second-key")}
    assert settings.secrets == {"first-key", "second-key"}
    assert "first-key" not in repr(settings)


def test_client_keys_may_be_hashes_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(
        f"# laptop\n{digest('a').hex()}\n\n{digest('b').hex().upper()}  -\n{digest('c').hex()} # ci\n"
    )

    assert read_settings({"LOCALCODE_API_KEYS": str(file)}).api_keys == {
        digest("a"),
        digest("b"),
        digest("c"),
    }


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("# nothing\n", "keys", "holds no key"),
        ("\nplain-key\n", "keys:2", "no SHA-256"),
        (None, "", "cannot be read"),
    ],
)
def test_a_file_of_hashes_that_is_none_is_refused(
    tmp_path: Path, content: str | None, place: str, message: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigError, match=message) as caught:
        read_settings({"LOCALCODE_API_KEYS": str(file)})

    assert caught.value.place == (str(tmp_path / place) if place else "LOCALCODE_API_KEYS")
    assert "plain-key" not in str(caught.value)


@pytest.mark.parametrize("value", [",,", "two words", "schlüssel"])
def test_client_keys_that_no_header_can_hold_are_refused_unseen(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({"LOCALCODE_API_KEYS": value})

    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        pytest.param(Settings(host="127.0.0.1"), False, id="this machine"),
        pytest.param(Settings(host="localhost"), False, id="this machine by name"),
        pytest.param(Settings(host="::1"), False, id="this machine, IPv6"),
        pytest.param(Settings(host="0.0.0.0"), True, id="every address"),
        pytest.param(Settings(host="::"), True, id="every address, IPv6"),
        pytest.param(Settings(host="192.168.1.5"), True, id="the network"),
        pytest.param(Settings(host="0.0.0.0", api_keys=frozenset({digest("k")})), False, id="with keys"),
        pytest.param(Settings(host="0.0.0.0", insecure=True), False, id="if insisted on"),
    ],
)
def test_an_open_door_is_refused_with_the_reason(settings: Settings, refused: bool) -> None:
    if not refused:
        settings.refuse_open_door()
        return

    with pytest.raises(ConfigError, match=r"reached from other machines.*LOCALCODE_API_KEYS.*--insecure"):
        settings.refuse_open_door()


# --- what ships


def test_the_example_names_every_variable() -> None:
    example = Path(__file__).parents[2].joinpath(".env.example").read_text()

    assert [name for name in VARIABLES if name not in example] == []


def test_the_example_is_a_dotenv_that_works() -> None:
    settings = read_settings({}, Path(__file__).parents[2] / ".env.example")

    assert settings.environment["GEMINI_API_KEY"] == ""
    assert settings.notes == ()


def test_the_password_of_a_state_url_is_a_secret_that_no_error_shows() -> None:
    settings = read_settings({"LOCALCODE_STATE_URL": "redis://user:p%40ss-word-1@host:6379"})
    socket = read_settings({"LOCALCODE_STATE_URL": "unix:///redis.sock?password=p%40ss-word-2"})
    with pytest.raises(ConfigError) as refused:
        read_settings({"LOCALCODE_STATE_URL": "radish://user:p%40ss-word-1@host:6379"})

    assert {"p%40ss-word-1", "p@ss-word-1"} <= settings.secrets
    assert {"p%40ss-word-2", "p@ss-word-2"} <= socket.secrets
    assert "ss-word" not in str(refused.value) + repr(settings)


@pytest.mark.parametrize(
    "url", ["memcached://host", "redis:///0", "redis://host:port", "unix://", "host:6379"]
)
def test_a_state_url_that_is_none_of_a_redis_is_refused_with_the_mend(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({"LOCALCODE_STATE_URL": url})

    assert refused.value.place == "LOCALCODE_STATE_URL"
    assert "redis://host" in str(refused.value)
