"""Where state may be kept is said in a few forms, and refused with the mend in all others."""

from __future__ import annotations

import pytest

from app.utils.state_url import MEND, is_shared, shown, state_url_problem


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://127.0.0.1:6379/0",
        "redis://localhost",
        "redis://:secret@redis.example:6380/3",
        "rediss://user:secret@[::1]:6379/0?ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis.sock",
        "unix://user:secret@/run/redis.sock?db=2",
    ],
)
def test_a_right_url_has_no_problem(url: str) -> None:
    assert state_url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/var/state.db", "'a URL without scheme' is none"),
        ("postgres://u:secret@host/db", "'postgres' is none"),
        ("redis://", "names no host"),
        ("redis://:6379/0", "names no host"),
        ("redis://u:secret@host:99999/0", "no URL"),
        ("redis://host:0", "port 0"),
        ("redis://u:secret@[::1/0", "no URL"),
        ("redis://host:6379/cache", "number of a database"),
        ("redis://host/0/1", "number of a database"),
        ("redis://host name:6379", "blank"),
        ("redis://host?socket_timeout=60", "'socket_timeout' cannot be set"),
        ("redis://host?db=x", "'db' is the number"),
        ("unix://", "names no socket"),
    ],
)
def test_a_wrong_one_is_refused_with_the_mend_and_without_the_password(url: str, words: str) -> None:
    problem = state_url_problem(url) or ""

    assert words in problem
    assert problem.endswith(MEND)
    assert "secret" not in problem


def test_redis_is_shared_and_a_file_is_not() -> None:
    assert is_shared("redis://host")
    assert not is_shared("")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://u:secret@host:6380/3", "redis://host:6380/3"),
        ("rediss://:secret@[::1]:6379", "rediss://[::1]:6379"),
        ("redis://host?password=secret", "redis://host"),
        ("unix://u:secret@/run/redis.sock?db=2", "unix:///run/redis.sock"),
    ],
)
def test_logs_show_where_and_not_who(url: str, expected: str) -> None:
    assert shown(url) == expected
