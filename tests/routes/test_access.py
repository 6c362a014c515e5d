"""Who may come in: keys, web pages of elsewhere, loops, and the id that every answer has."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.config.settings import read_settings
from app.routes.access import is_foreign
from tests.fakes import FakeBackend
from tests.routes.conftest import Logged, Serve

KEY = "lc-the-clients-key"
KEYS = frozenset({sha256(KEY.encode()).digest(), sha256(b"another").digest()})
CHAT = "/v1/chat/completions"
HELLO = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}

# ─── keys ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"Authorization": f"BEARER    {KEY}  "},
        {"x-api-key": KEY},
        {"X-Api-Key": f" {KEY} "},
        {"Authorization": "Bearer another"},
        {"Authorization": "Bearer of-somebody-else", "x-api-key": KEY},
        {"Authorization": f"Bearer {KEY}", "x-api-key": "of-somebody-else"},
        {"Authorization": "Basic dXNlcjpwYXNz", "x-api-key": KEY},
    ],
)
def test_a_key_opens_however_it_is_brought(serve: Serve, headers: dict[str, str]) -> None:
    assert serve(api_keys=KEYS).post(CHAT, json=HELLO, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY.upper()}"},
        {"Authorization": f"Bearer {KEY}, Bearer {KEY}"},
        {"Authorization": f"Bearer {sha256(KEY.encode()).hexdigest()}"},
        {"Authorization": "Bearer schlüssel-ÿ"},
        {"x-api-key": ""},
        {"x-api-key": f"Bearer {KEY}"},
        {"x-goog-api-key": KEY},
        {"Cookie": f"key={KEY}"},
    ],
)
def test_anything_else_is_a_401_before_anything_happens(serve: Serve, headers: dict[str, str]) -> None:
    backend = FakeBackend("Hello")

    reply = serve(backend=backend, api_keys=KEYS).post(CHAT, json=HELLO, headers=headers)

    assert reply.status_code == 401
    assert reply.get_json()["error"] == {
        "message": "a key of this gateway is needed, as 'Authorization: Bearer <key>'"
        " (LOCALCODE_API_KEYS names them)",
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert backend.calls == []


def test_a_key_in_the_address_is_no_key(serve: Serve) -> None:
    assert serve(api_keys=KEYS).get(f"/v1/models?key={KEY}&api_key={KEY}").status_code == 401


def test_every_endpoint_but_health_asks_for_a_key(serve: Serve) -> None:
    client = serve(api_keys=KEYS)
    asked = [
        (method, rule.rule.replace("<path:alias>", "alias"))
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
    ]
    answers = {path: client.open(path, method=method).status_code for method, path in asked}

    assert len(answers) >= 10
    assert {path for path, status in answers.items() if status != 401} == {"/health", "/v1/health"}


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/v1/chat", "/v1//models", "/health/x", "/healthy", "/HEALTH"]
)
def test_what_is_not_there_asks_for_a_key_as_well(serve: Serve, path: str) -> None:
    assert serve(api_keys=KEYS).get(path).status_code == 401


@pytest.mark.parametrize("query", ["probe=1", "probe=true", "probe", "probe=0&probe=1", "x=1&probe=1"])
def test_health_that_would_call_out_asks_for_a_key(serve: Serve, query: str) -> None:
    client = serve(api_keys=KEYS)

    assert client.get(f"/health?{query}").status_code == 401
    assert client.get("/health?probed=1").status_code == 200
    assert client.get("/health/").status_code == 200


def test_keys_may_be_a_file_of_their_hashes(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the team's\n{sha256(KEY.encode()).hexdigest()}  laptop\n")
    settings = read_settings({"LOCALCODE_API_KEYS": str(file)})
    client = serve(api_keys=settings.api_keys)

    assert client.get("/v1/models", headers={"x-api-key": KEY}).status_code == 200
    assert client.get("/v1/models", headers={"x-api-key": "another"}).status_code == 401


def test_the_hash_of_nothing_lets_nobody_in(serve: Serve) -> None:
    """`printf %s "$KEY" | shasum` gives it where KEY is not set."""
    client = serve(api_keys=frozenset({sha256(b"").digest()}))

    for headers in ({}, {"x-api-key": ""}, {"Authorization": "Bearer "}):
        assert client.get("/v1/models", headers=headers).status_code == 401


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_wrong_key_leaves_a_line_without_the_key(
    serve: Serve, logged: Logged, level: str, format: str
) -> None:
    stream = logged(level, format)

    reply = serve(api_keys=KEYS).get("/v1/models", headers={"Authorization": "Bearer wrong-key-1234567890"})

    assert reply.headers["x-request-id"] in stream.getvalue()
    assert "invalid_api_key" in stream.getvalue()
    assert "wrong-key" not in stream.getvalue() + reply.text


# ─── web pages ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        ("", False),
        ("http://localhost:3000", False),
        ("http://127.0.0.1:4242", False),
        ("http://[::1]:8080", False),
        ("https://ui.example", False),
        ("vscode-webview://1b2c", False),
        ("tauri://localhost", False),
        ("file://", False),
        ("chrome-extension://abcdef", False),
        ("https://evil.example", True),
        ("http://evil.example:4242", True),
        ("https://ui.example.evil.example", True),
        ("http://localhost.evil.example", True),
        ("http://127.0.0.1.evil.example", True),
        ("null", True),
        ("http://[::1", True),
    ],
)
def test_only_pages_of_this_machine_and_named_ones_are_no_strangers(
    origin: str | None, foreign: bool
) -> None:
    assert is_foreign(origin, ("https://ui.example",)) is foreign


def posted(client: FlaskClient, origin: str, **headers: str) -> int:
    """A POST as any page can make without asking first: no preflight for text/plain."""
    reply = client.post(
        CHAT,
        data=b'{"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}',
        headers={"Origin": origin, "Content-Type": "text/plain", **headers},
    )
    return reply.status_code


def test_a_web_page_of_elsewhere_cannot_spend_the_providers_keys(serve: Serve) -> None:
    backend = FakeBackend("Hello")

    assert posted(serve(backend=backend), "https://evil.example") == 403
    assert backend.calls == []


def test_one_that_is_named_or_holds_a_key_can(serve: Serve) -> None:
    assert posted(serve(cors_origins=("https://ui.example",)), "https://ui.example") == 200
    assert posted(serve(cors_origins=("*",)), "https://any.example") == 200
    assert posted(serve(api_keys=KEYS), "https://any.example", **{"x-api-key": KEY}) == 200


def test_no_origin_is_allowed_to_read_unless_configured(serve: Serve) -> None:
    client = serve()
    asking = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}

    for reply in (client.get("/v1/models", headers=asking), client.options(CHAT, headers=asking)):
        assert not [name for name, _ in reply.headers if name.startswith("Access-")]


def test_a_configured_origin_may_ask_first_without_a_key(serve: Serve) -> None:
    client = serve(api_keys=KEYS, cors_origins=("https://ui.example",))
    asking = {
        "Origin": "https://ui.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    reply = client.options(CHAT, headers=asking)

    assert reply.status_code == 200
    assert reply.headers["Access-Control-Allow-Origin"] == "https://ui.example"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    assert "authorization" in reply.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 401), ("/nowhere", 401), ("/health", 200)])
def test_a_configured_origin_may_read_the_refusal_too(serve: Serve, path: str, status: int) -> None:
    client = serve(api_keys=KEYS, cors_origins=("https://ui.example",))
    reply = client.get(path, headers={"Origin": "https://ui.example"})

    assert reply.status_code == status
    assert reply.headers["Access-Control-Allow-Origin"] == "https://ui.example"
    assert "x-localcode-target" in reply.headers["Access-Control-Expose-Headers"].lower()


def test_another_origin_may_not(serve: Serve) -> None:
    client = serve(api_keys=KEYS, cors_origins=("https://ui.example",))
    reply = client.get("/health", headers={"Origin": "https://ui.example.evil.example"})

    assert "Access-Control-Allow-Origin" not in reply.headers


# ─── loops ───────────────────────────────────────────────────────────────────────────────────────


def test_a_request_of_this_gateway_itself_is_refused(serve: Serve) -> None:
    backend = FakeBackend("Hello")
    client = serve(backend=backend, instance="abcdef", api_keys=KEYS)
    via = {"Via": "1.1 nginx, 1.1 localcode-abcdef, 1.1 proxy"}

    reply = client.post(CHAT, json=HELLO, headers=via)

    assert reply.status_code == 508
    assert reply.get_json()["error"]["code"] == "loop_detected"
    assert "leads back" in reply.get_json()["error"]["message"]
    assert backend.calls == []


def test_one_of_another_gateway_is_served(serve: Serve) -> None:
    via = {"Via": "1.1 localcode-123456"}

    assert serve(instance="abcdef").post(CHAT, json=HELLO, headers=via).status_code == 200


# ─── request ids ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/models/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", CHAT, 405),
        ("POST", CHAT, 400),
        ("OPTIONS", CHAT, 200),
    ],
)
def test_every_answer_has_the_clients_request_id(serve: Serve, method: str, path: str, status: int) -> None:
    reply = serve().open(path, method=method, headers={"X-Request-Id": "req-of.the:client_1"})

    assert reply.status_code == status
    assert reply.headers["x-request-id"] == "req-of.the:client_1"


@pytest.mark.parametrize("given", ["", " ", "a b", "a\tb", "-a", "x" * 129, "<script>", "a;b", "ümlaut"])
def test_an_id_that_could_do_harm_is_replaced(serve: Serve, given: str) -> None:
    made = serve().get("/health", headers={"X-Request-Id": given}).headers["x-request-id"]

    assert made.startswith("req_")
    assert made.isascii()
