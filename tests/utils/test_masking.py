"""The masker keeps secrets in and the rest of a text readable."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.utils.masking import HARMLESS, MASK, Masker

KEY = "Zq7-canary.KEY_0918273645/xyz+w="
PLAIN = "canaryKey4711wvutQRSTzyx08"
ODD = 'we!rd "key" with\\back & ünï©ode <Щ𝄞>'
KEYS = (KEY, PLAIN, ODD)

SK = "sk-ant-api03-" + "Ab9_xYz-" * 10
GOOGLE = "AIza" + "SyD0123456789_abcdefghijklmnopqrstuv"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJlLWhlcmU"
ZAI = "0123456789abcdef0123456789abcdef.AbCdEf0123456789"

Spelling: TypeAlias = Callable[[str], str]

shapes_only = Masker()
masker = Masker(KEYS)


# ─── configured keys ─────────────────────────────────────────────────────────────────────────────

SPELLINGS: dict[str, Spelling] = {
    "as it is": lambda key: key,
    "JSON": lambda key: json.dumps({"text": key}),
    "JSON in UTF-8": lambda key: orjson.dumps({"text": key}).decode(),
    "JSON in JSON": lambda key: json.dumps(json.dumps({"text": key})),
    "JSON in JSON in JSON": lambda key: json.dumps(json.dumps(json.dumps([key]))),
    "repr": lambda key: repr({"text": key}),
    "repr in JSON": lambda key: json.dumps(repr({"text": key, "quote": "'"})),
    "repr of bytes": lambda key: repr(key.encode()),
    "ascii": lambda key: ascii([key]),
    "URL": lambda key: f"https://host/path?q={quote(key, safe='')}&x=1",
    "URL path": lambda key: f"https://host/{quote(key)}",
    "form": lambda key: f"a=b&c={quote_plus(key)}",
    "URL in URL": lambda key: quote(quote(key, safe=""), safe=""),
    "URL in lower case": lambda key: quote(key, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "HTML": lambda key: f"<td>{html.escape(key)}</td>",
    "Basic": lambda key: "Basic " + base64.b64encode(f"user:{key}".encode()).decode(),
    "between letters": lambda key: f"abc{key}def",
    "twice": lambda key: key + key,
}


@pytest.mark.parametrize("key", KEYS, ids=["key", "plain", "odd"])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_configured_key_is_masked_in_every_spelling(spelling: Spelling, key: str) -> None:
    written = spelling(key)

    masked = masker.mask(written)

    assert MASK in masked
    assert not leaks(masked, key)


@pytest.mark.parametrize("user", ["", "a", "ab", "user", "longer user"])
def test_a_key_in_base64_is_masked_at_every_alignment_without_the_word_basic(user: str) -> None:
    blob = base64.b64encode(f"{user}:{PLAIN} and more".encode()).decode()

    masked = masker.mask(f"body {blob}")

    assert MASK in masked
    assert not any(
        PLAIN.encode()[at : at + 4] in decoded(masked, skip)
        for at in range(1, len(PLAIN) - 6)
        for skip in range(4)
    )


@pytest.mark.parametrize("cut", ["…", "...", "\\u2026", "… (1,234 characters)", ""], ids=repr)
@pytest.mark.parametrize(
    ("key", "length"), [(key, length) for key in KEYS for length in range(8, len(key))], ids=str
)
def test_the_beginning_of_a_key_is_masked_where_it_was_cut(key: str, length: int, cut: str) -> None:
    masked = masker.mask(f"the key is {key[:length]}{cut}")

    assert masked.startswith(f"the key is {MASK}")
    assert masked.endswith(cut.lstrip("\\"))  # the odd key goes on with a backslash there
    assert key[:8] not in masked


def test_sixteen_characters_of_a_key_are_masked_without_any_sign_of_a_cut() -> None:
    assert masker.mask(f"starts with {PLAIN[:16]} and ends") == f"starts with {MASK} and ends"


def test_the_longer_of_two_keys_is_masked_whole_when_one_begins_like_the_other() -> None:
    both = Masker(["secretive-key", "secretive-key-and-more"])

    assert both.mask("x secretive-key-and-more y secretive-key z") == f"x {MASK} y {MASK} z"


def test_a_very_long_secret_is_masked_to_its_last_character() -> None:
    service_account = json.dumps(
        {"id": "x" * 9, "private": "\n".join(f"{n:064}" for n in range(40))}, indent=1
    )
    long = Masker([service_account])

    masked = long.mask(f"before {json.dumps(service_account)} after")

    assert set(masked.removeprefix('before "').removesuffix('" after')) == {"*"}


def test_a_secret_of_several_lines_is_masked_when_its_lines_were_indented() -> None:
    secret = "first line of it\nsecond line of it"

    assert Masker([secret]).mask("x " + secret.replace("\n", "\n    ")) == f"x {MASK}"


@pytest.mark.parametrize("word", [*sorted(HARMLESS), "", " ", "abc", "12345"])
def test_an_ordinary_word_or_a_short_one_configured_as_key_stays_readable(word: str) -> None:
    text = f"the alias {word} is public, none of it is dummy"

    assert Masker([word]).mask(text) == text


@pytest.mark.parametrize("word", ["public", "none", "dummy", "sk-no-key-required", "abc", "12345"])
@pytest.mark.parametrize(
    "notation",
    [
        "Authorization: Bearer {}",
        "authorization: {}",
        "X-Api-Key: {}",
        '{{"x-api-key": "{}"}}',
        "GET /v1/models?key={}",
        "api_key='{}'",
    ],
)
def test_the_same_word_is_masked_where_a_header_or_field_says_that_it_is_a_key(
    notation: str, word: str
) -> None:
    assert Masker([word]).mask(notation.format(word)) == notation.format(MASK)


def test_with_secrets_knows_both_and_leaves_the_first_as_it_was() -> None:
    first = Masker(["first-key-123"])

    second = first.with_secrets(["second-key-456"])

    assert second.mask("first-key-123 second-key-456") == f"{MASK} {MASK}"
    assert first.mask("second-key-456") == "second-key-456"
    assert second == Masker(["second-key-456", "first-key-123"])


def test_a_masker_does_not_show_its_secrets() -> None:
    assert PLAIN not in repr(masker)
    assert PLAIN not in str(masker)


def test_a_key_made_of_stars_does_not_confuse_it() -> None:
    stars = Masker(["******", "ab***cd"])

    assert stars.mask("x ********* y abab***cdcd z") == stars.mask(stars.mask("x ********* y abab***cdcd z"))


# ─── by place ────────────────────────────────────────────────────────────────────────────────────

PLACES = [
    ("Authorization: Bearer s3cr", "Authorization: Bearer ***"),
    ("authorization: s3cr", "authorization: ***"),
    ("Proxy-Authorization: Basic s3cr", "Proxy-Authorization: Basic ***"),
    ("Authorization: Bearer s3cr\r\nHost: x", "Authorization: Bearer ***\r\nHost: x"),
    (r"b'POST / HTTP/1.1\r\nAuthorization: Bearer s3cr\r\nHost: x'", None),
    ("x-api-key: s3cr, accept: a", "x-api-key: ***, accept: a"),
    ("X-Goog-Api-Key:s3cr", "X-Goog-Api-Key:***"),
    ("api-key: s3cr", "api-key: ***"),
    ("Cookie: a=s3cr; b=s3cr\nHost: x", "Cookie: ***\nHost: x"),
    ("Set-Cookie: id=s3cr; Path=/", "Set-Cookie: ***"),
    ('{"Authorization": "Bearer s3cr", "a": 1}', '{"Authorization": "***", "a": 1}'),
    ('{"cookie":"a=\\"s3cr\\"; b=s3cr","a":1}', '{"cookie":"***","a":1}'),
    ("{'x-api-key': 's3cr', 'a': 1}", "{'x-api-key': '***', 'a': 1}"),
    ("{b'authorization': b'Bearer s3cr'}", "{b'authorization': b'***'}"),
    ("{'authorization': ['Bearer s3cr']}", "{'authorization': ['***']}"),
    ("[(b'Authorization', b'Bearer s3cr'), (b'a', b'b')]", "[(b'Authorization', b'***'), (b'a', b'b')]"),
    ('[["x-api-key","s3cr"]]', '[["x-api-key","***"]]'),
    ('{"name": "Authorization", "value": "Bearer s3cr"}', '{"name": "Authorization", "value": "***"}'),
    (r'{"event":"{\"authorization\": \"Bearer s3cr\"}"}', r'{"event":"{\"authorization\": \"***\"}"}'),
    (r'{"event":"{\"x\":\"{\\\"api_key\\\":\\\"s3cr\\\"}\"}"}', None),
    (r'{"event":"{\"api_key\": \"s3cr"}', r'{"event":"{\"api_key\": \"***"}'),
    ("""{"event":"{'api_key': 's3cr","a":1}""", """{"event":"{'api_key': '***","a":1}"""),
    ("""{"event":"{'api_key': 's3cr'}","a":1}""", """{"event":"{'api_key': '***'}","a":1}"""),
    ("Client(api_key='s3cr', base_url='x')", "Client(api_key='***', base_url='x')"),
    ("apiKey: 's3cr'", "apiKey: '***'"),
    ("api_key=s3cr, x=1", "api_key=***, x=1"),
    ("OPENAI_API_KEY=s3cr python x.py", "OPENAI_API_KEY=*** python x.py"),
    ("access_token=s3cr&x=1", "access_token=***&x=1"),
    ('{"refresh_token":"s3cr"}', '{"refresh_token":"***"}'),
    ("//registry/:_authToken=npm_s3cr", "//registry/:_authToken=***"),
    ("password='s3cr'", "password='***'"),
    ('{"client_secret": "s3cr"}', '{"client_secret": "***"}'),
    ("Incorrect API key provided: abcd1234s3cr. You", "Incorrect API key provided: *** You"),
    ("https://h/v1beta/models/m?key=s3cr&alt=sse", "https://h/v1beta/models/m?key=***&alt=sse"),
    ("https://h/?a=1&api_key=s3cr#top", None),
    ("https://h/?a=1&amp;access_token=s3cr x", "https://h/?a=1&amp;access_token=*** x"),
    (r"https://h/?a=1\u0026key=s3cr x", r"https://h/?a=1\u0026key=*** x"),
    ("https%3A%2F%2Fh%3Fkey%3Ds3cr x", "https%3A%2F%2Fh%3Fkey%3D*** x"),
    ("url https://user:s3cr@host/x", "url https://***@host/x"),
    ("http://s3cr@proxy:3128", "http://***@proxy:3128"),
    ("postgres://u:p@s3cr@db/x", "postgres://***@db/x"),
    ("curl -u me:s3cr http://h", "curl -u *** http://h"),
    ("curl --user 'me:s3cr' http://h", "curl --user '***' http://h"),
    ('curl -H "Authorization: Bearer s3cr" http://h', 'curl -H "Authorization: Bearer ***" http://h'),
    ("curl -H 'x-api-key: s3cr' http://h", "curl -H 'x-api-key: ***' http://h"),
    ("curl -Hx-api-key:s3cr http://h", "curl -Hx-api-key:*** http://h"),
    ("llama-server --api-key s3cr -c 4096", "llama-server --api-key *** -c 4096"),
    ("Bearer s3cr", "Bearer ***"),
    ("auth=Basic dXNlcjpzM2Ny", "auth=Basic ***"),
    ("-----BEGIN RSA PRIVATE KEY-----\ns3cr\n-----END RSA PRIVATE KEY----- x", "*** x"),
    ('{"k":"-----BEGIN PRIVATE KEY-----\\ns3cr\\nAAAA","a":1}', '{"k":"***","a":1}'),
    (f"key={'s3cr' * 5}", "key=***"),
]


@pytest.mark.parametrize(("text", "expected"), PLACES, ids=[text[:50] for text, _ in PLACES])
def test_a_value_is_masked_where_its_place_says_that_it_is_secret(text: str, expected: str | None) -> None:
    masked = shapes_only.mask(text)

    assert "s3cr" not in masked
    assert "dXNlcjpzM2Ny" not in masked
    assert expected is None or masked == expected
    assert shapes_only.mask(masked) == masked


# ─── by shape ────────────────────────────────────────────────────────────────────────────────────

SHAPES = [
    SK,
    "sk-proj-0123456789abcdefghij",
    "sk-or-v1-" + "0a1b" * 16,
    "csk-0123456789abcdefghijkl",
    GOOGLE,
    "AQ.Ab8RN6" + "x1-_" * 10,
    "gsk_" + "aB3d" * 13,
    "xai-" + "aB3d" * 20,
    "hf_" + "aBcDeFgHiJ" * 3,
    "ghp_" + "aB3d" * 9,
    "github_pat_11AAAAAAA0" + "aB3d_" * 10,
    "glpat-" + "aB3d-" * 4,
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "r8_" + "aB3d" * 9,
    "pplx-" + "aB3d" * 12,
    "nvapi-" + "aB3-" * 15,
    "xoxb-123456789012-abcdefghij",
    "ya29." + "aB3-_" * 10,
    ZAI,
    JWT,
]


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "key {} here",
        "**{}**",
        "`{}`",
        '"{}"',
        "\\n{}\\n",
        "x={}",
        "%3A{}",
        "({})",
        "\x1b[0m{}\x1b[0m",
        "…{}…",
    ],
)
@pytest.mark.parametrize("key", SHAPES, ids=[key[:12] for key in SHAPES])
def test_what_looks_like_a_providers_key_is_masked(key: str, around: str) -> None:
    masked = shapes_only.mask(around.format(key))

    assert key[-8:] not in masked
    assert key[4:14] not in masked
    assert shapes_only.mask(masked) == masked


READABLE = [
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "d41d8cd98f00b204e9800998ecf8427e.tar.gz",
    "550e8400-e29b-41d4-a716-446655440000",
    "req_0123456789abcdef0123456789abcdef ses_0123456789abcdef",
    "task-20251121-0123456789abcdef",
    "pip install sk-learn-pipelines-and-more",
    "1203→88 tokens (cached 1100, reasoning 12)",
    '{"max_tokens":1000,"tokens":5,"token":"hello"}',
    "for key in keys: print(key, value)",
    "sorted(xs, key=len); sorted(xs, key=lambda x: x[1])",
    "prompt_cache_key=session-0123456789abcdef",
    "set GEMINI_API_KEY: it is not set",
    "the variable GEMINI_API_KEY is not set",
    '{"properties":{"api_key":{"type":"string"}},"required":["api_key"]}',
    '{"api_key":null,"authorization":null,"a":1}',
    "Client(api_key=None, password=None)",
    '"apiKey": "{env:GEMINI_API_KEY}"',
    "def f(api_key: str, password: str | None) -> None:",
    "Bearer authentication is needed; send a Bearer token",
    "Basic understanding of Basic Authentication",
    "me@example.com and git@github.com:owner/name.git",
    "https://host/@scope/name?mail=me@example.com",
    "git push -u origin main; sort -u file; pip install --user name",
    "a cookie is small; cookies are smaller",
    "monkey keyboard turkey",
    "fake-keys none public",
]


@pytest.mark.parametrize("text", READABLE, ids=[text[:50] for text in READABLE])
def test_what_only_resembles_a_secret_stays_readable(text: str) -> None:
    assert shapes_only.mask(text) == text


# ─── properties ──────────────────────────────────────────────────────────────────────────────────

texts = st.text(max_size=60)
fragments = st.sampled_from(
    [
        *(text for text, _ in PLACES),
        *SHAPES,
        *KEYS,
        PLAIN[:8],
        PLAIN[:17],
        *READABLE,
        *"\"'\\,;:=&?@… \n*{}[]()",
        "***",
        "api_key",
        "Authorization",
        "Cookie",
        "://",
        "sk-",
        "Bearer ",
        "...",
        '\\"',
        '\\\\"',
    ]
)
salads = st.lists(fragments | texts, max_size=12).map("".join)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | texts
    | fragments
    | salads,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            texts | st.sampled_from(["api_key", "Authorization", "cookie", "key", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(salads)
@example("https://a:b@c/*** sk-" + "***" + SK)
@example(PLAIN[:8] + "-" + GOOGLE + "…")
@example("hf_abcdefghijklmnopqrstuv" + "sk-1234567890123456")
@example("AKIAIOSFODNN7EXAMPLE" + "sk-1234567890123456")
@example("AKIAIOSFODNN7EXAMPLE" * 2)
@example(ZAI + SK)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = masker.mask(text)

    assert masker.mask(once) == once


@given(json_values)
def test_a_line_of_json_is_still_json(value: Any) -> None:
    orjson.loads(shapes_only.mask(orjson.dumps({"event": value, "level": "info"}).decode()))


@given(json_values)
def test_json_in_a_line_of_json_is_still_json(value: Any) -> None:
    orjson.loads(shapes_only.mask(orjson.dumps({"event": json.dumps(value), "level": "info"}).decode()))


@given(json_values, st.integers(0, 300))
def test_cut_json_in_a_line_of_json_is_still_json(value: Any, length: int) -> None:
    cut = json.dumps(value)[:length] + "…"

    orjson.loads(shapes_only.mask(orjson.dumps({"event": cut, "level": "info"}).decode()))


@given(salads, st.sampled_from(KEYS), salads, st.sampled_from(sorted(SPELLINGS)))
def test_a_configured_key_never_survives(before: str, key: str, after: str, spelling: str) -> None:
    assert not leaks(masker.mask(before + SPELLINGS[spelling](key) + after), key)


@given(
    st.text(alphabet=st.characters(codec="utf-8"), min_size=7, max_size=40),
    salads,
    st.sampled_from(sorted(SPELLINGS)),
)
def test_any_text_can_be_a_key(key: str, before: str, spelling: str) -> None:
    key = key.strip()
    if len(key) < 7 or key.lower() in HARMLESS or len(set(key)) < 4 or "*" in key:
        return

    assert key not in Masker([key]).mask(f"{before}|{SPELLINGS[spelling](key)}|")


@given(
    st.dictionaries(
        st.sampled_from(["a", "Authorization", "x-api-key", "api_key", "cookie"]), texts | fragments
    )
)
def test_a_canary_in_any_header_never_survives(headers: dict[str, str]) -> None:
    headers["X-Api-Key"] = "unconfigured-canary"
    written = [
        json.dumps(headers),
        orjson.dumps(headers).decode(),
        repr(headers),
        repr(list(headers.items())),
        json.dumps(json.dumps(headers)),
        json.dumps(repr(headers)),
        "\r\n".join(f"{name}: {value}" for name, value in reversed(headers.items())),
    ]

    assert not any("unconfigured-canary" in shapes_only.mask(text) for text in written)


@given(st.text(st.characters()))
def test_it_never_raises_on_lone_surrogates_or_anything(text: str) -> None:
    masker.mask(text)
    masker.mask("api_key=" + text)
    Masker([text, "x" + text])


# ─── work grows as the text does ─────────────────────────────────────────────────────────────────

ADVERSARIAL = {
    "backslashes": "\\",
    "names": "api_key",
    "quoted names": '"api_key": "',
    "escaped names": '\\"api_key\\": \\"',
    "names with spaces": "authorization" + " " * 50,
    "sk": "sk-",
    "sk with words": "sk-abcdefghijklmn ",
    "hexadecimal": "0123456789abcdef",
    "dots": "a." * 3,
    "jwt": "eyJ",
    "jwt with parts": "eyJabcdefgh.",
    "userinfo": "://a",
    "at": "a@",
    "queries": "?a-a-a-a-",
    "bearer": "bearer bearer ",
    "basic": "basic " + "A" * 40,
    "private": "-----BEGIN PRIVATE KEY-----",
    "cookies": "cookie: ",
    "pairs": '["authorization" ' + "\\n" * 5,
    "brackets": "( " * 3 + "[ ",
    "beginnings of a key": PLAIN[:8],
    "longer beginnings": PLAIN[:20] + " ",
    "odd beginnings": ODD[:9],
    "percent": "%2525",
    "entities": "&#x00000",
    "curl": "curl -u a",
    "stars": "*",
    "letters": "k",
    "ghp": "ghp_",
    "value separators": "api_key=" * 2 + ",",
}


@pytest.mark.full  # it takes too long for the quick run
@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_a_megabyte_takes_about_four_times_as_long_as_a_quarter_of_it(unit: str) -> None:
    # Quadratic work would be 16 times as long; triggers for every rule are put in front.
    triggers = (
        " api-key authorization cookie token secret password bearer basic @ curl sk- eyj gh ?key= -----"
    )
    whole = (unit * (1_000_000 // len(unit))) + triggers
    quarter = whole[:250_000] + triggers

    assert processor_time(whole) < 9 * processor_time(quarter) + 0.005


# ─── helpers ─────────────────────────────────────────────────────────────────────────────────────


def leaks(text: str, key: str) -> bool:
    """Whether the key or the end of it can be read from the text."""
    forms = {
        key,
        json.dumps(key)[1:-1],
        repr(key)[1:-1],
        quote(key, safe=""),
        quote_plus(key),
        html.escape(key),
    }
    return any(part in text for form in forms for part in (form, form[-12:]) if len(part) > 7)


def decoded(text: str, skip: int) -> bytes:
    kept = "".join(c for c in text if c.isalnum() or c in "+/")[skip:]
    return base64.b64decode(kept[: len(kept) // 4 * 4])


def processor_time(text: str) -> float:
    def once() -> float:
        start = time.process_time()
        masker.mask(text)
        return time.process_time() - start

    return min(once() for _ in range(1 if len(text) > 500_000 else 2))
