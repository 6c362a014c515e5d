"""The values that travel through the gateway, and what each room must offer.

Bodies, answers and events are plain dicts in the shape of the dialect that they are in,
so that a field nobody here has heard of still arrives. Everything else is a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from app.errors import GatewayError

Body: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]
"""A whole answer, in any dialect."""
Event: TypeAlias = dict[str, Any]
"""One event of a stream, in any dialect."""
Completion: TypeAlias = Answer
"""Chat's whole answer."""
Chunk: TypeAlias = Event
"""Chat's event."""
Batch: TypeAlias = list[Event]
"""All complete events of one network read; an empty one is a tick: nothing came for a while."""

DialectName: TypeAlias = Literal["chat", "messages", "responses", "completions", "embeddings", "rerank"]
"""An API. As the client speaks it: a *dialect*; as the target is called in it: the *wire*."""
CarrierName: TypeAlias = Literal["relay", "litellm", "fixed"]
Level: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much a model should think, from least to most."""

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
class Harmony:
    """A target that gives or takes raw Harmony text."""

    form: Literal["completions", "chat"] = "completions"
    """`completions`: the gateway writes the prompt and calls /completions; `chat`: the target takes messages,
    and only its answers are raw."""
    analysis: Literal["drop", "expose"] = "drop"
    """Whether the client is given the model's analysis, as reasoning."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model behind an alias may think."""

    levels: tuple[Level, ...] = ()
    """What the target knows, from least to most; empty: the alias does not configure it."""
    from_temperature: bool = False
    """Whether a temperature says how much to think where the client did not."""
    keep_temperature: bool = True
    """Whether the temperature goes to the target all the same."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an alias leads. `model` is the wire id; `alias` is all that a client ever sees."""

    alias: str
    provider: str
    model: str
    base_url: str = ""
    native_url: str = ""
    """The base for the dialects of `dialects` besides chat, where it is another than `base_url`."""
    api_key: str = field(default="", repr=False)
    key_variable: str | None = None
    """The environment variable that holds the key, for messages about it."""
    carrier: CarrierName = "relay"
    dialects: frozenset[DialectName] = frozenset({"chat"})
    """What it speaks itself, and so can be relayed in."""
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
    """A fixed answer, given without any network (the alias `echo`)."""
    harmony: Harmony | None = None
    """How raw Harmony text is exchanged with it, if it is."""
    reasoning: Reasoning = Reasoning()
    reasoning_field: str | None = None
    """The field of an assistant message in which it wants its own thoughts back; None: it does not."""
    reads_thoughts: bool = False
    """Whether it may be given them all the same, where the client brings them (`reasoning_content`)."""
    facts: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What `/v1/models` publishes: name, limit, cost, modalities, reasoning, tool_call, attachment."""
    unavailable: str | None = None
    """Why it cannot be called (a missing key, by its variable; a wrong entry, by its place), or None."""
    broken: bool = False
    """Whether that is a mistake in its entry, which no key mends."""

    @property
    def name(self) -> str:
        """The target's real name, for `x-localcode-target` and DEBUG logs only."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request, in the dialect that it came in and checked as far as that is needed."""

    dialect: DialectName
    model: str
    body: Body
    """As the client sent it. Nobody changes it in place."""
    stream: bool
    as_chat: Callable[[], Body]
    """Makes the same request as a body of Chat Completions; raises BadRequest where that cannot be."""
    include_usage: bool = True
    """Whether the client asked for the usage chunk of a stream (chat); other dialects always tell usage."""
    leaves_out: Callable[[], Sequence[str]] = tuple
    """What `as_chat` drops because chat cannot say it, by name, for the debug log."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client behind a request: who it is, and whether it is still there."""

    request_id: str
    session: str | None = None
    owner: str = ""
    """A digest of the key it came in with, where keys are asked for: what one owner keeps no other sees."""
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Those of its headers that may go upstream (see `utils.headers`); never a key."""
    alive: Callable[[], None] = lambda: None
    """Raises ClientLeft once the client has gone. Costs one system call."""


class Count(NamedTuple):
    """The tokens of a request, and who counted them."""

    tokens: int
    by_target: bool


class View(Protocol):
    """Sees a request at DEBUG; never raises, never changes what it sees."""

    def note(self, text: str) -> None: ...
    def target(self, target: Target, body: Body, way: object) -> None: ...
    def left_out(self, names: Sequence[str]) -> None: ...
    def received(self, batch: Batch) -> None: ...
    def response(self, answer: Answer | None = None) -> None: ...


@dataclass(slots=True)
class Trace:
    """What has happened to a request so far: grows while it is served, read by log and headers."""

    started: float
    """`time.monotonic()`"""
    target: Target | None = None
    reasoning: str = ""
    """What was decided on how much to think, and from what: the header x-localcode-reasoning."""
    input_tokens: int | None = None
    """An estimate of what the request comes to, where the dialect wants one before the target tells."""
    count: Count | None = None
    """The answer, where the client asked for no more than that."""
    notes: list[str] = field(default_factory=list)
    """What the log should say of this request besides the usual."""
    tries: int = 0
    first: float | None = None
    """`time.monotonic()` of the first event or the whole answer."""
    usage: Mapping[str, Any] | None = None
    """Chat-shaped (`prompt_tokens`, …), whatever the wire."""
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
    wire: DialectName = "chat"
    """The API in which the target is called; the body is in it, and so are answers and events."""
    translated: bool = False
    """Whether the client asked in another one."""


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

    def complete(self, call: Call) -> Answer: ...
    def stream(self, call: Call) -> Stream: ...


class Follower(Protocol):
    """A stream of one wire on its way to the client: renames, and sees whether it came to its end."""

    failed: GatewayError | None
    """Set when an event stands for a failure; what came before it has been passed on."""
    over: bool
    """Whether the last event has come. It says nothing where an API has none (chat's [DONE] is no event)."""

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as the client may see it: under the alias, without what was not asked for."""

    def end(self) -> None:
        """Raises what is wrong with a stream that ends here: UpstreamCut unless it was finished."""


class Wire(Protocol):
    """How a target's answers are read in one of the APIs it may speak; a module of `app.utils` is one."""

    PATH: str
    """Behind the base URL."""

    @property
    def together(self) -> Callable[[bytes], Iterable[tuple[int, int]]] | None:
        """Tells where events begin and end that need not be read if the client speaks this API too."""

    def headers(self, target: Target) -> dict[str, str]:
        """The key, and what else this API wants to see, names in lower case."""

    def answer_in(self, body: bytes, target: Target) -> Answer:
        """The answer in a whole body of status 200, streamed or not; raises the error that it is instead."""

    def events_in(self, payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
        """The events in some payloads, whether the last one of all has come, the error that ends them."""

    def events_of(self, answer: Answer) -> Batch:
        """A plain answer as the events of a stream: for a target that ignores `stream`."""

    def answer_of(self, batches: Iterable[Batch]) -> Answer:
        """The plain answer that a stream spells: for a target that streams whether asked to or not."""

    def is_whole(self, answer: Answer) -> bool:
        """Whether an answer put together from a stream came to its end."""

    def finished(self, answer: Answer, target: Target, trace: Trace) -> Answer:
        """A plain answer under its alias, usage and finish noted; raises the failure that it says it is."""

    def follow(self, target: Target, include_usage: bool, trace: Trace) -> Follower: ...


@dataclass(frozen=True, slots=True)
class Served:
    """What an encoder knows besides events; given, for dialects have neither clock nor dice."""

    id: str
    """Random letters and digits, for ids that the target does not give."""
    created: int
    """Unix time."""
    input_tokens: int = 0
    """The best estimate of the request's tokens, until the target tells."""


class Encoder(Protocol):
    """A stream's bytes in a client's dialect: a state machine that no wrong order of events can leave.

    `feed`, then `feed` or `alive` as often as needed, then once `close` or `fail`.
    """

    answer: Answer | None
    """The whole answer that the stream came to, after `close`, in dialects that can be asked for it later."""

    def feed(self, batch: Batch) -> bytes: ...
    def alive(self) -> bytes:
        """A sign of life that the dialect's clients take for one."""

    def close(self) -> bytes:
        """What is still owed at a good end."""

    fails_in_order: bool
    """Whether the error event is an end in itself. If not, the body breaks off behind it, for clients that
    read past the event and would take a clean end for a whole answer."""

    def fail(self, problem: GatewayError) -> bytes:
        """The dialect's error event; nothing follows it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A request in which the target finds its own again."""

    body: Body
    notes: tuple[str, ...] = ()
    """What the log should say of it."""


class Collector(Protocol):
    """Takes from an answer what its target wants back later."""

    def feed(self, batch: Batch) -> None:
        """Chunks as they go to the client. Called for every batch, so it costs next to nothing."""

    def end(self) -> None:
        """All has come, or all that will. Has it written, and does not wait for that."""

    def answer(self, completion: Completion) -> None:
        """The same for a plain answer."""

    def wait(self) -> None:
        """Returns when every process finds it, or after a moment."""


class Ledger(Protocol):
    """Keeps what targets want back with their own turns, and clients may drop."""

    def restored(self, body: Body, scope: str, target: Target) -> Restored: ...
    def collector(self, body: Body, scope: str, target: Target) -> Collector: ...


class Expected(Protocol):
    """What a request is expected to be billed."""

    @property
    def tokens(self) -> int: ...


class Meter(Protocol):
    """Estimates what requests will be billed, and learns from what they were."""

    def expect(self, scope: str, target: Target, body: Body) -> Expected: ...
    def learn(self, expected: Any, usage: Mapping[str, Any] | None) -> None: ...
    def tell(self, target: Target, body: Body, usage: Mapping[str, Any] | None) -> None: ...


class Counter(Protocol):
    """Counts a request's tokens."""

    def count(self, request: Request, target: Target, client: Client, trace: Trace) -> int: ...


class KeptAnswer(Protocol):
    """An answer that was kept, and what its request brought besides the answers before it."""

    @property
    def response(self) -> Answer: ...
    @property
    def items(self) -> list[Any]: ...


class Keeper(Protocol):
    """Keeps the answers of the Responses API, each for its owner alone."""

    def keep(self, owner: str, response: Answer, items: list[Any]) -> None: ...
    def find(self, owner: str, answer_id: str) -> KeptAnswer | None: ...
    def delete(self, owner: str, answer_id: str) -> bool: ...
    def items(self, owner: str, item_ids: Collection[str]) -> dict[str, Any]: ...
    def history(self, owner: str, answer_id: str) -> list[Any] | None: ...


class Sealer(Protocol):
    """Seals what a client carries for the gateway, for its owner alone."""

    def seal(self, value: dict[str, Any], owner: str = "") -> str: ...
    def open(self, text: Any, owner: str = "") -> dict[str, Any] | None: ...


class Dialect(Protocol):
    """A client's API as pure functions; a module of `app.dialects` is one."""

    name: DialectName

    def parse(self, body: Any) -> Request:
        """The request in a JSON value; raises BadRequest that names the field and what was found there."""

    def render(self, answer: Completion, request: Request, served: Served) -> Answer:
        """Chat's answer in this dialect."""

    def encoder(self, request: Request, served: Served) -> Encoder:
        """For chunks of chat."""

    def relayed(self, request: Request, served: Served) -> Encoder:
        """For events that are in this dialect already."""

    def error(self, problem: GatewayError, request_id: str = "") -> Body: ...
