"""API_SPEC.md and the app say the same: endpoints, fields, headers, errors, limits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
import requests
from flask import Flask

from app import create_app
from app.backends import image_fetch, retrying
from app.backends.probe import TIMEOUT
from app.config.settings import Settings, read_settings
from app.dialects import openai_chat
from app.errors import GatewayError
from app.routes import access, edge
from app.routes.body import BODY_SILENCE
from app.server import KEEPALIVE
from app.types import Retries, Timeouts
from app.utils import headers, problems, sse
from app.utils.chat_request import CONTROL_FIELDS, CONTROL_PREFIXES
from app.utils.harmony_chat import UNREADABLE
from app.utils.sse import comment
from tests import fakes
from tests.docs.examples import Stage
from tests.docs.pages import ROOT, page

SPEC = page("API_SPEC.md")
CODE = re.compile(r"`([^`]+)`")


@pytest.fixture(scope="module")
def app() -> Flask:
    settings = read_settings({"LOCALCODE_CORS_ORIGINS": "http://localhost:3000"})
    return create_app(settings, fakes.catalog(fakes.target()))


def names(*titles: str, column: int = 0) -> set[str]:
    """Everything in code letters in a column of a table."""
    return {name for row in SPEC.rows(*titles) for name in CODE.findall(row[column])}


# ---------------------------------------------------------------- endpoints


def documented() -> set[tuple[str, str]]:
    found = re.findall(r"^### (.+)$", SPEC.text, re.MULTILINE)
    return {(method, path) for heading in found for method, path in re.findall(r"`([A-Z]+) (\S+)`", heading)}


def offered(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, re.sub(r"<\w+:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/v2")
    }


def test_every_endpoint_is_documented_and_no_other(app: Flask) -> None:
    assert documented() == {(method, path) for method, path in offered(app) if path.startswith("/v1")}


def test_every_endpoint_is_there_with_and_without_v1(app: Flask) -> None:
    with_v1 = {(method, path) for method, path in offered(app) if path.startswith("/v1")}

    assert offered(app) - with_v1 == {(method, path.removeprefix("/v1")) for method, path in with_v1}


def test_the_fields_of_a_model_are_documented(stage: Stage) -> None:
    url = stage.first.url
    shown = {name for model in requests.get(f"{url}/v1/models", timeout=30).json()["data"] for name in model}
    described = re.search(r"### `GET /v1/models`.*?\n\n(?=###)", SPEC.text, re.DOTALL)

    assert described
    assert shown <= set(CODE.findall(described[0]))


# ---------------------------------------------------------------- fields


def test_every_field_that_is_checked_is_documented_with_its_type() -> None:
    rows = {row[0].strip("`"): row[1] for row in SPEC.rows("field", "must be", "")}

    assert {field: rows[field] for field, _, _ in openai_chat._TYPES} == {
        field: words for field, _, words in openai_chat._TYPES
    }
    assert rows.keys() - {field for field, _, _ in openai_chat._TYPES} == {"model", "messages"}


def test_every_control_field_is_named_and_no_other() -> None:
    listed = re.search(r"<summary>All control fields</summary>(.*?)</details>", SPEC.text, re.DOTALL)

    assert listed
    fields, _, prefixes = listed[1].partition("everything that begins with")
    assert set(CODE.findall(fields)) == CONTROL_FIELDS
    assert tuple(CODE.findall(prefixes)) == CONTROL_PREFIXES


# ---------------------------------------------------------------- headers


def test_every_header_that_goes_on_to_a_provider_is_named() -> None:
    last = SPEC.rows("header", "")[-1][0]

    assert set(CODE.findall(last)) == headers._PASSING | {
        f"{prefix}…" for prefix in headers._PASSING_PREFIXES
    }


def test_every_header_that_names_a_session_is_named_in_its_order() -> None:
    rows = [tuple(CODE.findall(row[0])) for row in SPEC.rows("header", "")]

    assert headers._SESSION in rows


def answers(app: Flask, stage: Stage) -> Iterator[str]:
    """The names of all headers in answers of every kind."""
    client = app.test_client()
    origin = {"Origin": "http://localhost:3000"}
    preflight = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a"}
    for path in ("/", "/health", "/v1/models", "/v1/models/alias", "/v1/models/nope", "/nope", "/v1//models"):
        yield from client.get(path, headers=origin).headers.keys()
    yield from client.options("/v1/chat/completions", headers=preflight).headers.keys()
    yield from client.get("/v1/chat/completions").headers.keys()
    url = f"http://127.0.0.1:{stage.ports['4244']}/v1/chat/completions"
    for model in ("coder", "busy", "locked", "nope"):
        for stream in (False, True):
            body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
            yield from requests.post(url, json=body, timeout=30).headers.keys()


def test_every_header_of_an_answer_is_documented(app: Flask, stage: Stage) -> None:
    told = {name.partition(":")[0].lower() for name in names("header", "when", "")}

    assert {name.lower() for name in answers(app, stage)} - told == set()


def test_every_header_that_browsers_may_read_is_documented() -> None:
    assert set(access.EXPOSED) <= {name.lower() for name in names("header", "when", "")}


# ---------------------------------------------------------------- errors

ERRORS = SPEC.rows("status", "type", "code", "when", "what agents do")
TOLD = [(int(row[0]), row[1].strip("`"), row[2].strip("`") or None) for row in ERRORS]


def kinds(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_is_documented(kind: type[GatewayError]) -> None:
    assert (kind.status, kind.type, kind.code) in TOLD


def codes_in_the_source() -> Iterator[str]:
    """Every code that is given to an error where it is raised."""
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)
    yield UNREADABLE


def test_every_code_is_documented_and_no_other() -> None:
    classes = {kind.code for kind in kinds() if kind.code}

    assert {code for _, _, code in TOLD if code} == classes | set(codes_in_the_source())


def test_every_status_and_type_is_one_that_an_error_has() -> None:
    known = {GatewayError.type} | {kind.type for kind in kinds()}

    assert {type for _, type, _ in TOLD} == known
    assert GatewayError.status in {status for status, _, _ in TOLD}


# ---------------------------------------------------------------- numbers


def row(titles: tuple[str, ...], first: str) -> str:
    return next(cells[1] for cells in SPEC.rows(*titles) if cells[0].startswith(first))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("further tries", f"{Retries().limit}; 0"),
        ("first pause", f"{Retries().delay:g} s"),
        ("longest pause", f"{retrying.LONGEST_PAUSE:g} s"),
        ("nothing new", f"{retrying.PATIENCE:g} s"),
        ("to connect", f"{Timeouts().connect:g} s"),
        ("until the answer", f"{Timeouts().header:g} s"),
        ("between two", f"{Timeouts().chunk:g} s"),
        ("for all", f"{Timeouts().total:g} s"),
    ],
)
def test_tries_and_times_are_those_of_the_code(first: str, expected: str) -> None:
    assert row(("", "default", "change it with"), first).startswith(expected)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("body of a request", f"{Settings().max_body // 2**20} MB"),
        ("pause of a client", f"{BODY_SILENCE:g} s"),
        ("one event", f"{sse.LONGEST_EVENT // 2**20} MB"),
        ("an error message", f"{problems.LONGEST_MESSAGE} characters"),
        ("a client's connection", f"{KEEPALIVE} s"),
    ],
)
def test_limits_are_those_of_the_code(first: str, expected: str) -> None:
    assert row(("", ""), first).startswith(expected)


@pytest.mark.parametrize(
    "words",
    [
        f"After {edge.KEEP_ALIVE:g} s without an event, the comment `{comment().decode().strip()}`",
        f"at most {image_fetch.MOST} in one request",
        f"each at most {image_fetch.BIGGEST // 2**20} MB and {image_fetch.SECONDS:g} s",
        f"over at most {image_fetch.MOST_REDIRECTS} redirects",
        f"for at most {TIMEOUT:g} s each",
    ],
)
def test_numbers_within_sentences_are_those_of_the_code(words: str) -> None:
    assert words in " ".join(SPEC.text.split())
