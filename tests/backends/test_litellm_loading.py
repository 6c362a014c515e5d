"""LiteLLM is loaded when it is needed, in the background, quietly, and works in threads and in greenlets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.backends.litellm_loading import Library, Loaded
from app.errors import ClientLeft, GatewayError
from tests.backends.test_litellm_client import echo
from tests.upstream import Upstream

ROOT = Path(__file__).parent.parent.parent


def run(module: str, *arguments: str, **environment: str) -> tuple[Any, str]:
    """The report that a module prints, and whatever else it wrote."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", module, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "LOCALCODE_LOG_LEVEL": "INFO",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    *noise, last = done.stdout.strip().splitlines() or [""]
    assert done.returncode == 0, done.stderr
    return json.loads(last), "\n".join(noise) + done.stderr


@pytest.fixture(scope="module")
def alone() -> tuple[Any, str]:
    """In an environment that would make LiteLLM talk and call home."""
    return run(
        "tests.backends.litellm_alone",
        LITELLM_LOG="DEBUG",
        LITELLM_DROP_PARAMS="True",
        LITELLM_ROUTE_ALL_CHAT_OPENAI_TO_RESPONSES="true",
        OPENAI_API_KEY="sk-environment",
    )


def test_importing_the_carrier_imports_no_litellm(alone: tuple[Any, str]) -> None:
    assert alone[0]["imported_before_it_was_needed"] is False


def test_loading_and_calling_reach_for_nothing_but_the_target(alone: tuple[Any, str]) -> None:
    assert alone[0]["text"].startswith("Hello from the upstream")
    assert alone[0]["tried"] == []


def test_it_writes_nothing_and_starts_no_threads_of_its_own(alone: tuple[Any, str]) -> None:
    report, noise = alone

    assert report["failures"] == ["RateLimited", "UpstreamAuthentication", "UpstreamFailed"]
    assert report["logging_threads"] == []
    assert [line for line in noise.splitlines() if "litellm_failed" not in line] == []
    assert "canary" not in noise


def test_mcp_servers_that_a_client_names_are_not_called(alone: tuple[Any, str]) -> None:
    assert alone[0]["mcp"] is False


# ---------------------------------------------------------------------- waiting


def held(release: threading.Event) -> Callable[[], Loaded]:
    """A library that takes as long to load as the test wants."""

    def load() -> Loaded:
        release.wait(10)
        return Loaded(None, None, None, None)  # type: ignore[arg-type]

    return load


def test_it_is_loaded_once_for_all_who_wait() -> None:
    loads: list[int] = []

    def load() -> Loaded:
        loads.append(1)
        return Loaded("it", None, None, None)  # type: ignore[arg-type]

    library = Library(load)
    library.load_in_background()
    library.load_in_background()

    assert library.wait(lambda: None) is library.wait(lambda: None)
    assert len(loads) == 1


def test_a_client_who_leaves_while_it_loads_is_noticed() -> None:
    release = threading.Event()
    library = Library(held(release))

    def alive() -> None:
        raise ClientLeft("gone")

    with pytest.raises(ClientLeft):
        library.wait(alive)
    release.set()

    assert library.wait(lambda: None)


def test_a_failed_import_is_a_clear_error_each_time() -> None:
    def load() -> Loaded:
        raise ModuleNotFoundError("No module named 'litellm'")

    library = Library(load)

    for _ in range(2):
        with pytest.raises(GatewayError, match="LiteLLM could not be loaded: ModuleNotFoundError") as caught:
            library.wait(lambda: None)
    assert (caught.value.status, caught.value.code) == (500, "litellm_unavailable")


# --------------------------------------------------------------------- greenlets


@pytest.fixture(scope="module")
def in_greenlets() -> tuple[Any, str]:
    with Upstream() as up, Upstream() as other:
        up.play(echo)
        return run("tests.backends.litellm_in_greenlets", up.base_url, "20", other.base_url)


@pytest.mark.full  # it takes too long for the quick run
def test_greenlets_run_on_while_it_loads_and_twenty_streams_are_not_mixed_up(
    in_greenlets: tuple[Any, str],
) -> None:
    report, noise = in_greenlets

    assert report["first"] == "first"
    assert report["mixed"] == []
    # Loaded in a greenlet, it would let the ticker run twice: before and after.
    assert report["ticks"] > 20
    assert "never awaited" not in noise


@pytest.mark.full
def test_every_api_works_after_the_thread_that_loaded_it_is_gone(in_greenlets: tuple[Any, str]) -> None:
    assert in_greenlets[0]["refused"] == []


@pytest.mark.full
def test_nothing_is_left_to_a_hub_that_never_runs(in_greenlets: tuple[Any, str]) -> None:
    assert in_greenlets[0]["hubs"] == 1
