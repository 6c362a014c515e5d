"""Who a client is goes upstream; what could be a key, or could steer the target, never does."""

from __future__ import annotations

import pytest

from app.utils.headers import as_value, headers_in, passing, sane_id, session_of


def sent(**headers: str) -> dict[str, str]:
    """Headers as they come in by WSGI."""
    return headers_in({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()})


def test_headers_are_read_from_a_wsgi_request_without_those_of_its_body() -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "2",
        "HTTP_X_SESSION_ID": "a,b",
        "HTTP_VIA": "1.1 x",
        "wsgi.input": object(),
    }

    assert headers_in(environ) == {"x-session-id": "a,b", "via": "1.1 x"}


@pytest.mark.parametrize(
    "name",
    [
        "User-Agent",
        "x-session-id",
        "X-Session-Affinity",
        "x-opencode-project",
        "X-Stainless-Lang",
        "originator",
        "session-id",
        "thread-id",
        "x-codex-window-id",
        "anthropic-beta",
        "anthropic-version",
        "HTTP-Referer",
        "x-title",
    ],
)
def test_who_the_client_is_goes_upstream_under_a_small_name(name: str) -> None:
    assert passing(sent(**{name: "value"})) == {name.lower(): "value"}


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "Cookie",
        "Proxy-Authorization",
        "x-auth-token",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Accept-Encoding",
        "Content-Encoding",
        "Via",
        "X-Forwarded-For",
        "X-Conversation-Id",
        "Expect",
        "Upgrade",
        "X-Request-Id",
        "x-localcode-target",
        "TE",
        "",
    ],
)
def test_nothing_else_does(name: str) -> None:
    assert passing(sent(**{name: "value"})) == {}


@pytest.mark.parametrize(
    ("headers", "session"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"x-session-id": "ses_1"}, "ses_1", id="OpenCode"),
        pytest.param({"x-session-affinity": "ses_1"}, "ses_1", id="OpenCode's other"),
        pytest.param({"x-claude-code-session-id": "0b6f-1"}, "0b6f-1", id="Claude Code"),
        pytest.param({"session-id": "019-a", "thread-id": "b"}, "019-a", id="Codex"),
        pytest.param({"x-session-id": "a b", "thread-id": "b"}, "b", id="the first that is sane"),
        pytest.param({"x-session-id": ""}, None, id="empty"),
        pytest.param({"x-session-id": "../etc/passwd"}, None, id="a path"),
        pytest.param({"x-session-id": "a" * 129}, None, id="too long"),
    ],
)
def test_a_session_is_known_by_its_header(headers: dict[str, str], session: str | None) -> None:
    assert session_of(headers) == session


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zai/glm-4.7:free 100%", "zai/glm-4.7:free 100%"),
        ("模型?x…", "%E6%A8%A1%E5%9E%8B?x%E2%80%A6"),
        ("ü\r\nSet-Cookie: x", "%C3%BC%0D%0ASet-Cookie: x"),
    ],
)
def test_any_text_can_stand_in_a_header(text: str, value: str) -> None:
    assert as_value(text) == value


@pytest.mark.parametrize(
    "value", ["req_1", "0", "a-b.c:d_e", "A" * 128, "3f2c9a10-0000-4000-8000-000000000000"]
)
def test_a_sane_request_id_is_kept(value: str) -> None:
    assert sane_id(value) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "a b",
        "a\n",
        "a\r\nSet-Cookie: x",
        "-a",
        ".a",
        "a/b",
        "a\x1b[31m",
        "ü",
        "A" * 129,
        '"',
        "a\x00",
    ],
)
def test_any_other_is_not(value: str | None) -> None:
    assert sane_id(value) is None


def test_a_header_that_sounds_like_a_key_does_not_pass_by_its_prefix() -> None:
    given = {
        "X-Stainless-Lang": "python",
        "X-Stainless-Authorization": "Bearer x",
        "x-opencode-api-key": "x",
    }

    assert passing(sent(**given)) == {"x-stainless-lang": "python"}
