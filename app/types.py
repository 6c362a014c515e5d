"""The values that travel through the gateway, and what each room must offer.

Bodies, answers and chunks are plain OpenAI-shaped dicts, so that a field nobody here
has heard of still arrives. Everything else is a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

from app.errors import GatewayError

Body: TypeAlias = dict[str, Any]
Completion: TypeAlias = dict[str, Any]
Chunk: TypeAlias = dict[str, Any]
Batch: TypeAlias = list[Chunk]
"""All complete events of one network read; an empty one is a tick: nothing came for a while."""

DialectName: TypeAlias = Literal["chat", "messages", "responses"]
CarrierName: TypeAlias = Literal["relay", "litellm"]

NOTHING: Mapping[str, Any] = MappingProxyType({})  # a factory below: Python 3.11 takes it for mutable


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `header` until the answer begins, `chunk` between two reads, `total` for all of it.

    The agents themselves leave after 300 s of silence, so `header` and `chunk` stay below that.
    """

    connect: float = 10.0
    header: float = 290.0
    chunk: float = 290.0
    total: float = 3600.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often to ask again before the first byte; `delay` is the first pause, in seconds."""

    limit: int = 2
    delay: float = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """Where an alias leads. `model` is the wire id; `alias` is all that a client ever sees."""

    alias: str
    provider: str
    model: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    key_variable: str | None = None
    """The environment variable that holds the key, for messages about it."""
    carrier: CarrierName = "relay"
    dialects: frozenset[DialectName] = frozenset({"chat"})
    litellm_provider: str | None = None
    """LiteLLM's name of the provider (`gemini`, `bedrock`, …); None means OpenAI-compatible."""
    litellm_params: Mapping[str, Any] = field(default_factory=lambda: NOTHING, repr=False)
    """What LiteLLM wants besides base and key: `api_version`, `aws_region_name`, `vertex_project`, …"""
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    defaults: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """Request fields that are set where the client sent none."""
    extra_body: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """Request fields that the configuration (V2 `request.body`) adds to every request."""
    fetch_images: bool = False
    """Whether the gateway may fetch http(s) image URLs for this target (public addresses only)."""
    stream_usage: bool = True
    """Whether to ask the target for usage on streams even when the client did not."""
    mock_response: str | None = None
    """A fixed answer given by LiteLLM without any network (the alias `echo`)."""
    facts: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What `/v1/models` publishes: name, limit, cost, modalities, reasoning, tool_call, attachment."""
    unavailable: str | None = None
    """Why it cannot be called (a missing key, by its variable's name), or None."""

    @property
    def name(self) -> str:
        """The target's real name, for `x-localcode-target` and DEBUG logs only."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A client's request as its dialect understood it, chat-shaped."""

    model: str
    body: Body
    stream: bool
    include_usage: bool
    """Whether the client asked for the usage chunk of a stream."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client behind a request: who it is, and whether it is still there."""

    request_id: str
    session: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Those of its headers that may go upstream (see `utils.headers`); never a key."""
    alive: Callable[[], None] = lambda: None
    """Raises ClientLeft once the client has gone. Costs one system call."""


class View(Protocol):
    """Sees a request at DEBUG; never raises, never changes what it sees."""

    def target(self, target: Target, body: Body) -> None: ...
    def received(self, batch: Batch) -> None: ...
    def sent(self, batch: Batch) -> None: ...
    def response(self, answer: Completion | None = None) -> None: ...


@dataclass(slots=True)
class Trace:
    """What has happened to a request so far: grows while it is served, read by log and headers."""

    started: float
    """`time.monotonic()`"""
    target: Target | None = None
    tries: int = 0
    first: float | None = None
    """`time.monotonic()` of the first event or the whole answer."""
    usage: Mapping[str, Any] | None = None
    finish: str | None = None
    view: View | None = None
    """Where the details go, at DEBUG only."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one target."""

    target: Target
    body: Body
    """What the target is asked; `model` is its wire id."""
    client: Client
    trace: Trace
    deadline: float
    """`time.monotonic()` after which the whole call has taken too long."""


class Stream(Protocol):
    """An open stream of batches. Whoever opened it closes it; closing twice is harmless."""

    def __iter__(self) -> Iterator[Batch]: ...
    def __next__(self) -> Batch: ...
    def close(self) -> None: ...


class Backend(Protocol):
    """The one seam to the world.

    Both verbs raise the family of `app.errors`, and call `call.client.alive()` at least
    once a second while they wait. A stream's first batch may be awaited inside `stream`
    or at the first `next`; after that a silent upstream gives an empty batch each second.
    """

    def complete(self, call: Call) -> Completion: ...
    def stream(self, call: Call) -> Stream: ...


class Dialect(Protocol):
    """A client's API as four pure functions; a module of `app.dialects` is one."""

    name: DialectName
    ALIVE: bytes
    """What keeps a silent stream alive."""
    END: bytes
    """What a stream ends with."""

    def parse(self, body: Any) -> ChatRequest: ...
    def render(self, answer: Completion) -> bytes: ...
    def encode(self, batch: Batch) -> bytes: ...
    def error(self, problem: GatewayError) -> Body: ...
    def error_event(self, problem: GatewayError) -> bytes: ...
