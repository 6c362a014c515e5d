"""LiteLLM, imported when it is first needed, without holding anything up, and made quiet.

The import takes 2 to 5 s and a good part of the memory, so it happens in a thread: of the
system's kind also where gevent has turned threads into greenlets, for a greenlet that
imports lets no other one run. Whoever needs the library waits for it in small steps.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.backends.apart import threads_are_greenlets
from app.backends.litellm_scope import Heard
from app.errors import GatewayError
from app.types import Timeouts

STEP = 0.05
"""Seconds between two looks whether it is loaded."""

# All of it is read during the import. The first two keep it from asking the network for prices and
# tokenizers, the third from reading a `.env` of its own.
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "HF_HUB_OFFLINE": "1",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "CRITICAL",
        "LITELLM_LOCAL_BLOG_POSTS": "True",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    }
)

# What an environment variable or a default could have turned on.
SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "suppress_debug_info": True,  # else advice is printed to stdout on each error
        "telemetry": False,
        "turn_off_message_logging": True,
        "disable_streaming_logging": True,
        "drop_params": False,  # what a provider does not take is refused by name, not swallowed
        "modify_params": False,
        "num_retries": None,
        "DEFAULT_MAX_RETRIES": 0,  # what its embeddings take for a `max_retries` of 0
        "cache": None,
        "route_all_chat_openai_to_responses": False,
        "enable_anthropic_prompt_caching": False,
    }
)
CALLBACKS = ("callbacks", "input_callback", "success_callback", "failure_callback", "service_callback")
LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router")
CHATTY = ("httpx", "httpcore", "openai", "asyncio")
"""They name URLs at INFO and below."""


WARMED = ("openai", "gemini", "anthropic")
"""Providers whose modules are loaded too; LiteLLM does that with the first call (0.1 to 0.3 s)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The library, ready to be called."""

    litellm: Any
    internal: ContextVar[bool]
    """LiteLLM's own mark for calls that it does not log: a quarter of the work, and no thread pool."""
    body_of: Callable[[Heard], bytes]
    """The body of an answer as far as it came, without its coding."""
    limits: Callable[[Timeouts], Any]
    """Time limits in httpx's form."""


class Library:
    """LiteLLM in this process. Loading it twice is loading it once."""

    def __init__(self, load: Callable[[], Loaded] | None = None) -> None:
        self._load = load or load_litellm
        self._lock = threading.Lock()
        self._begun = False
        self._loaded: Loaded | None = None
        self._failure: str | None = None

    def load_in_background(self) -> None:
        with self._lock:
            begun, self._begun = self._begun, True
        if not begun:
            in_real_thread(self._run)

    def wait(self, alive: Callable[[], None]) -> Loaded:
        """The library, as soon as it is there; `alive` is called twice a second meanwhile.

        Raises GatewayError when it cannot be imported, and what `alive` raises.
        """
        self.load_in_background()
        looked = time.monotonic()
        while self._loaded is None:
            if self._failure is not None:
                raise GatewayError(
                    f"LiteLLM could not be loaded: {self._failure}", code="litellm_unavailable"
                )
            time.sleep(STEP)
            if time.monotonic() - looked >= 0.5:
                alive()
                looked = time.monotonic()
        return self._loaded

    def _run(self) -> None:
        try:
            with leaving_no_hub():
                loaded = self._load()
            gc.freeze()  # all of that stays: to look through it took 0.18 s each time, for every stream
            gc.collect()
            self._loaded = loaded
        except BaseException as failure:  # it must reach whoever waits
            self._failure = f"{type(failure).__name__}: {failure}"


def in_real_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread of the operating system, also where gevent has replaced `threading`."""
    if threads_are_greenlets():
        importlib.import_module("gevent").get_hub().threadpool.spawn(work)
    else:
        threading.Thread(target=work, name="load-litellm", daemon=True).start()


@contextmanager
def leaving_no_hub() -> Iterator[None]:
    """Where threads are greenlets, the hub that a real thread got within is gone after it.

    gevent ties a queue, and with it a pool of threads, to the hub of the thread that makes it. This one's hub
    never runs, and ends when the thread has been idle for 5 s: until then nobody who waits for the queue is
    woken, after that each use is an error. What needs such a queue must fail at once, not after 5 s.
    """
    try:
        yield
    finally:
        if threads_are_greenlets():
            importlib.import_module("gevent").get_hub().destroy()


def load_litellm() -> Loaded:
    """Import LiteLLM with no network, no output and no habits of its own."""
    os.environ.update(ENVIRONMENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        litellm = importlib.import_module("litellm")
        _silence()
        for name, value in SETTINGS.items():
            setattr(litellm, name, value)
        for name in CALLBACKS:
            setattr(litellm, name, [])
        wire = importlib.import_module("app.backends.litellm_wire")
        _connect(litellm, wire)
        internal = importlib.import_module("litellm._internal_context").is_internal_call
        loaded = Loaded(litellm, internal, wire.body_of, wire.limits)
        _warm(loaded)
    return loaded


def _warm(loaded: Loaded) -> None:
    """Make it load and build what it otherwise does with the first calls, some of it with warnings."""
    token = loaded.internal.set(True)
    for provider in WARMED:
        with suppress(Exception):  # our transport refuses what belongs to no request
            _call(loaded, model=f"{provider}/x", api_base="http://127.0.0.1")
    for chunk in _call(loaded, model="openai/x", mock_response="-", stream=True).completion_stream:
        chunk.model_dump()
    _call(loaded, model="openai/x", mock_response="-").model_dump()
    loaded.internal.reset(token)


def _call(loaded: Loaded, **words: Any) -> Any:
    messages = [{"role": "user", "content": "-"}]
    return loaded.litellm.completion(messages=messages, api_key="none", num_retries=0, max_retries=0, **words)


def _silence() -> None:
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _connect(litellm: Any, wire: Any) -> None:
    """Send all its synchronous traffic through our transport."""
    handlers: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    transport = wire.Transport()
    client = wire.client_over(transport)
    litellm.sync_transport = transport  # what each HTTPHandler builds its client on
    litellm.client_session = client  # what it gives to the OpenAI SDK
    litellm.module_level_client = handlers.HTTPHandler(client=client)
    # Its pools of threads belong to the thread that imported it: under gevent they work in no other one
    # (`leaving_no_hub`). Without a limit it reads the error in place of a stream at once, else in a pool.
    handlers._STREAMING_ERROR_BODY_READ_TIMEOUT_SECONDS = None
    pool: Any = importlib.import_module("litellm.litellm_core_utils.thread_pool_executor").executor
    pool.submit = dropped


def dropped(*task: Any, **words: Any) -> Future[Any]:
    """In place of its pool for logging, which logs nothing here: what that gives when it has no room left.

    Every stream that LiteLLM's own wrapper reads to the end hands it a task, whatever it was told.
    """
    future: Future[Any] = Future()
    future.cancel()
    return future
