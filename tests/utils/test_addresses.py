"""Hosts that are this machine are told from all others, without asking anybody."""

from __future__ import annotations

import pytest

from app.utils.addresses import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "llama.localhost",
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "[::1]",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "notlocalhost",
        "128.0.0.1",
        "10.0.0.1",
        "192.168.0.1",
        "0.0.0.0",
        "::",
        "::2",
        "fe80::1",
        "127.0.0.1.example.com",
        "127.0.0.1:80",
        "::ffff:10.0.0.1",
        "256.0.0.1",
    ],
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)
