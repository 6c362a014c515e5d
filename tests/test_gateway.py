"""A request's life: resolve, choose, call, commit. What goes out stands under the alias, or is an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.dialects import anthropic_messages
from app.errors import (
    BadRequest,
    ClientLeft,
    GatewayError,
    RateLimited,
    TargetUnavailable,
    UnknownModel,
    UpstreamCut,
    UpstreamFailed,
    UpstreamTimeout,
)
from app.gateway import Gateway, ServedStream
from app.remembering import Remembering
from app.types import Answer, Batch, Body, Harmony, Reasoning, Request, Restored, Target
from tests.fakes import (
    TICK,
    FakeBackend,
    Move,
    catalog,
    chunk,
    client,
    completion,
    delta,
    finish,
    request,
    target,
    trace,
    usage_chunk,
)

FAILED = finish("network_error")


def serving(*script: Any, where: Target | None = None, **options: Any) -> tuple[Gateway, FakeBackend]:
    """A gateway with one target, and the backend behind it."""
    backend = FakeBackend(*script)
    return Gateway(catalog(where or target()), {"relay": backend}, **options), backend


def streamed(*script: Move, asked: Request | None = None) -> tuple[ServedStream, FakeBackend]:
    gateway, backend = serving(*script)
    return gateway.stream(asked or request(stream=True), client(), trace()), backend


def texts(batches: list[Batch]) -> list[list[str | None]]:
    return [[it["choices"][0]["delta"].get("content") for it in batch] for batch in batches]


def until_it_fails(stream: ServedStream) -> tuple[list[Batch], GatewayError | None]:
    """The batches that come before the error, and the error."""
    batches: list[Batch] = []
    try:
        for batch in stream:
            batches += [batch]
    except GatewayError as problem:
        return batches, problem
    return batches, None


# ─── which target ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["alias", "provider/alias"])
def test_an_answer_stands_under_the_name_that_was_asked_for(name: str) -> None:
    gateway, backend = serving("Hello")
    seen = trace()
    asked = request(model=name)

    assert gateway.complete(asked, client(), seen).answer["model"] == name
    assert backend.calls[0].body["model"] == "wire-id"
    assert (seen.target and seen.target.alias, seen.target and seen.target.name) == (name, "provider/wire-id")


@pytest.mark.parametrize("name", ["alias", "provider/alias"])
def test_so_does_every_chunk_of_a_stream(name: str) -> None:
    stream, _ = streamed(TICK, "Hel", "lo", asked=request(stream=True, model=name))

    assert {it["model"] for batch in stream for it in batch} == {name}


def test_an_error_names_what_was_asked_for() -> None:
    with pytest.raises(UpstreamCut, match="'provider/alias'"):
        streamed(asked=request(stream=True, model="provider/alias"))


def test_an_unknown_name_is_asked_of_nobody() -> None:
    gateway, backend = serving("Hello")
    for ask in (gateway.complete, gateway.stream):
        with pytest.raises(UnknownModel, match="'alais'"):
            ask(request(model="alais"), client(), trace())

    assert backend.calls == []


def test_a_target_without_a_key_says_which_variable_is_missing() -> None:
    gateway, backend = serving("Hello", where=target(unavailable="PROVIDER_API_KEY is not set"))
    seen = trace()
    with pytest.raises(TargetUnavailable) as raised:
        gateway.complete(request(), client(), seen)

    assert (
        str(raised.value)
        == "'alias' cannot be used: PROVIDER_API_KEY is not set (set it in the environment or in .env)"
    )
    assert backend.calls == []


def test_each_target_is_called_through_its_carrier() -> None:
    relay, litellm = FakeBackend("by relay"), FakeBackend("by LiteLLM")
    there = catalog(target(), target(alias="other", carrier="litellm"))
    gateway = Gateway(there, {"relay": relay, "litellm": litellm})
    said = [
        gateway.complete(request(model=name), client(), trace()).answer["choices"][0]["message"]["content"]
        for name in ("alias", "other")
    ]

    assert said == ["by relay", "by LiteLLM"]


def test_the_catalog_may_be_exchanged_while_a_stream_runs() -> None:
    gateway, _ = serving("Hel", "lo")
    stream = gateway.stream(request(stream=True), client(), trace())
    gateway.catalog = catalog(target(alias="new"))

    assert texts(list(stream)) == [["Hel"], ["lo"], [None]]
    with pytest.raises(UnknownModel):
        gateway.complete(request(), client(), trace())


# ─── what the target is asked ────────────────────────────────────────────────────────────────────


def test_a_target_is_asked_what_was_asked_and_has_its_own_time() -> None:
    there = target(defaults={"temperature": 0.7})
    there = replace(there, timeouts=replace(there.timeouts, total=100.0))
    gateway, backend = serving("Hello", where=there)
    seen, who = trace(), client()
    gateway.complete(request(seed=7, api_base="http://evil.test"), who, seen)
    (it,) = backend.calls

    assert it.body == {
        "model": "wire-id",
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 7,
        "temperature": 0.7,
    }
    assert (it.client, it.trace, it.deadline) == (who, seen, seen.started + 100)


def test_images_are_put_into_the_body_before_the_target_is_asked() -> None:
    def inline(body: Body, where: Target, alive: Any) -> Body:
        alive()
        return body | {"images_for": where.model}

    gateway, backend = serving("Hello", inline_images=inline)
    gateway.complete(request(), client(), trace())

    assert backend.calls[0].body["images_for"] == "wire-id"


# ─── plain answers ───────────────────────────────────────────────────────────────────────────────


def test_a_plain_answer_is_complete_and_noted() -> None:
    answer = completion("Hello", usage={"total_tokens": 3}, timings={"x": 1})
    gateway, _ = serving(dict(answer))
    seen = trace()

    assert gateway.complete(request(), client(), seen).answer == answer | {"model": "alias"}
    assert (seen.usage, seen.finish, seen.tries) == ({"total_tokens": 3}, "stop", 1)
    assert seen.first is not None
    assert seen.first >= seen.started


@pytest.mark.parametrize("problem", [RateLimited("full"), ClientLeft("gone"), UpstreamTimeout("slow")])
def test_what_a_backend_raises_goes_through(problem: GatewayError) -> None:
    gateway, _ = serving(problem)
    with pytest.raises(type(problem)) as raised:
        gateway.complete(request(), client(), trace())

    assert raised.value is problem


def test_an_answer_that_says_it_broke_is_an_error() -> None:
    gateway, _ = serving(completion("Hel", finish_reason="network_error"))

    with pytest.raises(UpstreamFailed, match="network_error"):
        gateway.complete(request(), client(), trace())


# ─── streams ─────────────────────────────────────────────────────────────────────────────────────


def test_batches_come_as_they_came_from_the_target() -> None:
    stream, backend = streamed([chunk("a"), chunk("b")], TICK, [chunk("c"), finish()])

    assert texts(list(stream)) == [["a", "b"], [], ["c", None]]
    assert backend.streams[0].closed == 0
    stream.close()
    assert backend.streams[0].closed == 1


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([TICK, TICK, TICK], id="silence"),
        pytest.param([usage_chunk()], id="usage that nobody asked for"),
        pytest.param([TICK, [usage_chunk(), usage_chunk()], TICK], id="both"),
    ],
)
def test_a_stream_is_there_when_its_first_visible_batch_is(before: list[Move]) -> None:
    stream, backend = streamed(*before, "Hel", "lo")

    assert backend.streams[0].played == len(before) + 1
    assert texts(list(stream)) == [["Hel"], ["lo"], [None]]


def test_the_time_of_the_first_batch_is_noted() -> None:
    gateway, _ = serving(TICK, "Hel", "lo")
    seen = trace()
    gateway.stream(request(stream=True), client(), seen)

    assert seen.first is not None
    assert seen.first >= seen.started


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param([UpstreamTimeout("slow")], UpstreamTimeout, id="at once"),
        pytest.param([TICK, TICK, UpstreamTimeout("slow")], UpstreamTimeout, id="after silence"),
        pytest.param([usage_chunk(), RateLimited("full")], RateLimited, id="after what is hidden"),
        pytest.param([], UpstreamCut, id="nothing came"),
        pytest.param([TICK], UpstreamCut, id="only silence came"),
        pytest.param([usage_chunk()], UpstreamCut, id="only usage came"),
        pytest.param([FAILED], UpstreamFailed, id="only a failed finish came"),
        pytest.param([TICK, FAILED, chunk("late")], UpstreamFailed, id="a failed finish came first"),
        pytest.param([ClientLeft("gone")], ClientLeft, id="the client has left"),
        pytest.param([ZeroDivisionError()], ZeroDivisionError, id="our own mistake"),
    ],
)
def test_what_fails_before_the_first_batch_is_raised_at_once(
    script: list[Move], kind: type[Exception]
) -> None:
    gateway, backend = serving(*script)
    with pytest.raises(kind):
        gateway.stream(request(stream=True), client(), trace())

    assert backend.streams[0].closed == 1


@pytest.mark.parametrize(
    ("script", "kind", "came"),
    [
        pytest.param(["a", "b", UpstreamTimeout("slow")], UpstreamTimeout, [["a"], ["b"]], id="an error"),
        pytest.param([chunk("a"), chunk("b")], UpstreamCut, [["a"], ["b"]], id="an end that is none"),
        pytest.param([chunk("a"), TICK], UpstreamCut, [["a"], []], id="an end after silence"),
        pytest.param([chunk("a"), FAILED, chunk("late")], UpstreamFailed, [["a"], []], id="a failed finish"),
        pytest.param(
            [[chunk("a"), FAILED]], UpstreamFailed, [["a"]], id="a failed finish in the first batch"
        ),
        pytest.param(
            [chunk("a"), [chunk("b"), FAILED, chunk("c")]], UpstreamFailed, [["a"], ["b"]], id="in a later"
        ),
        pytest.param(["a", ClientLeft("gone")], ClientLeft, [["a"]], id="the client has left"),
    ],
)
def test_what_fails_later_is_raised_in_its_place(
    script: list[Move], kind: type[Exception], came: list[list[str]]
) -> None:
    stream, backend = streamed(*script)
    batches, problem = until_it_fails(stream)

    assert type(problem) is kind
    assert texts(batches) == came
    stream.close()
    assert backend.streams[0].closed == 1


def test_a_stream_that_is_over_stays_over() -> None:
    stream, _ = streamed("a")
    for _ in stream:
        pass

    assert list(stream) == []


def test_a_stream_that_has_failed_never_seems_to_have_ended() -> None:
    stream, _ = streamed(chunk("a"), UpstreamTimeout("slow"))
    next(stream)
    for kind in (UpstreamTimeout, UpstreamCut, UpstreamCut):
        with pytest.raises(kind):
            next(stream)


def test_a_stream_that_is_closed_early_ends_the_targets_work() -> None:
    stream, backend = streamed("a", "b", "c")
    next(stream)
    stream.close()

    assert (backend.streams[0].played, backend.streams[0].closed) == (1, 1)


@pytest.mark.parametrize("include_usage", [True, False])
def test_usage_is_noted_and_shown_to_those_who_asked(include_usage: bool) -> None:
    gateway, backend = serving([chunk("a")], [finish(), usage_chunk()])
    seen = trace()
    stream = gateway.stream(request(stream=True, include_usage=include_usage), client(), seen)
    shown = [it["usage"] for batch in stream for it in batch if it.get("usage")]

    assert shown == ([{"total_tokens": 3}] if include_usage else [])
    assert (seen.usage, seen.finish) == ({"total_tokens": 3}, "stop")
    assert backend.calls[0].body["stream_options"] == {"include_usage": True}


def test_odd_chunks_reach_the_client_and_break_nothing() -> None:
    odd: list[dict[str, Any]] = [{}, {"choices": None}, {"choices": [None]}, {"choices": [{"delta": None}]}]
    stream, _ = streamed(*odd, delta(content="a"), finish())

    assert len([it for batch in stream for it in batch]) == len(odd) + 2


# ─── what the model thought ──────────────────────────────────────────────────────────────────────


class Book:
    """A ledger that shows what it was shown."""

    def __init__(self) -> None:
        self.fed: Batch = []
        self.ended = self.waited = 0
        self.scopes: list[str] = []

    def restored(self, body: Body, scope: str, target: Target) -> Restored:
        self.scopes.append(scope)
        return Restored({**body, "restored": True}, ("a note",))

    def collector(self, body: Body, scope: str, target: Target) -> Book:
        return self

    def feed(self, batch: Batch) -> None:
        self.fed += batch

    def answer(self, completion: Answer) -> None:
        self.fed.append(completion)

    def end(self) -> None:
        self.ended += 1

    def wait(self) -> None:
        self.waited += 1


THINKS = target(reasoning_field="reasoning_content")
HIDES = target(reasoning_field="reasoning_content", harmony=Harmony(analysis="drop"))
THOUGHT = [delta(role="assistant", reasoning_content="Hm"), delta(content="Hello"), finish()]


def test_what_is_kept_of_a_stream_is_waited_for_when_its_last_event_is_out() -> None:
    book = Book()
    gateway, _ = serving(*THOUGHT, where=THINKS, remembering=Remembering(book))
    stream = gateway.stream(request(stream=True), client(), trace())
    events = list(stream)

    assert (len(events), book.ended, book.waited) == (3, 1, 0)
    stream.wait()
    assert book.waited == 1


def test_there_is_nothing_to_wait_for_after_a_stream_that_broke_off() -> None:
    book = Book()
    gateway, _ = serving(
        delta(content="Hel"), UpstreamTimeout("slow"), where=THINKS, remembering=Remembering(book)
    )
    stream = gateway.stream(request(stream=True), client(), trace())
    with pytest.raises(UpstreamTimeout):
        list(stream)
    stream.wait()

    assert (book.ended, book.waited) == (0, 0)


@pytest.mark.parametrize(("where", "seen"), [(THINKS, True), (HIDES, False)], ids=["shown", "hidden"])
def test_thoughts_are_shown_or_hidden_and_kept_for_the_target_either_way(where: Target, seen: bool) -> None:
    book = Book()
    gateway, _ = serving(*THOUGHT, where=where, remembering=Remembering(book))
    batches = list(gateway.stream(request(stream=True), client(), trace()))

    assert ("Hm" in str(batches)) is seen
    assert "Hm" in str(book.fed)
    assert "Hello" in str(batches)
    assert book.ended == 1


@pytest.mark.parametrize(("where", "seen"), [(THINKS, True), (HIDES, False)], ids=["shown", "hidden"])
def test_so_are_those_of_a_plain_answer(where: Target, seen: bool) -> None:
    book = Book()
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    gateway, _ = serving(completion(choices=[choice]), where=where, remembering=Remembering(book))
    answer = gateway.complete(request(), client(), trace()).answer

    assert ("Hm" in str(answer)) is seen
    assert "Hm" in str(book.fed)


def test_what_the_ledger_puts_back_is_sent_and_its_notes_are_logged() -> None:
    gateway, backend = serving("Hello", where=THINKS, remembering=Remembering(Book()))
    noted = trace()
    gateway.complete(request(), client(), noted)

    assert backend.calls[0].body["restored"] is True
    assert noted.notes == ["a note"]


def test_a_target_that_wants_nothing_back_costs_the_ledger_nothing() -> None:
    book = Book()
    gateway, _ = serving("Hello", where=target(), remembering=Remembering(book))
    gateway.complete(request(), client(), trace())

    assert (book.scopes, book.fed) == ([], [])


def test_a_client_that_leaves_before_the_end_leaves_nothing_in_the_ledger() -> None:
    book = Book()
    gateway, _ = serving(*THOUGHT, where=THINKS, remembering=Remembering(book))
    stream = gateway.stream(request(stream=True), client(), trace())
    next(stream)
    stream.close()

    assert book.ended == 0


# ─── other dialects ──────────────────────────────────────────────────────────────────────────────


def asked_in_messages(**fields: Any) -> Request:
    body: Body = {
        "model": "alias",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        **fields,
    }
    return anthropic_messages.parse(body)


NATIVE = target(dialects=frozenset({"chat", "messages"}))
MESSAGE = {"type": "message", "model": "wire-id", "content": [], "stop_reason": "end_turn"}


def test_a_dialect_that_the_target_speaks_goes_through_as_it_is() -> None:
    gateway, backend = serving(MESSAGE, where=NATIVE)
    asked = asked_in_messages(unheard_of=[1], api_base="http://evil.test")
    found = gateway.complete(asked, client(), trace())

    assert (found.wire, found.answer["model"]) == ("messages", "alias")
    assert backend.calls[0].wire == "messages"
    assert "api_base" not in backend.calls[0].body
    assert backend.calls[0].body["unheard_of"] == [1]


def test_whoever_calls_the_target_knows_whether_the_client_asked_in_another_api() -> None:
    gateway, backend = serving("Hello", where=target())
    for asked in (request(), asked_in_messages()):
        gateway.complete(asked, client(), trace())

    assert [call.translated for call in backend.calls] == [False, True]


def test_a_dialect_that_it_does_not_speak_is_asked_as_chat() -> None:
    gateway, backend = serving("Hello")
    found = gateway.complete(asked_in_messages(system="Be brief"), client(), trace())

    assert (found.wire, found.answer["object"]) == ("chat", "chat.completion")
    assert [message["role"] for message in backend.calls[0].body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        (NATIVE, "output_config", {"effort": "low"}),
        (target(), "reasoning_effort", "low"),
    ],
    ids=["relayed", "translated"],
)
def test_how_much_to_think_is_decided_for_every_dialect_and_told(
    where: Target, field: str, value: Any
) -> None:
    levels = Reasoning(levels=("low", "high"), from_temperature=True)
    gateway, backend = serving(
        MESSAGE if where is NATIVE else "Hello", where=replace(where, reasoning=levels)
    )
    seen = trace()
    gateway.complete(asked_in_messages(temperature=0.2), client(), seen)

    assert backend.calls[0].body[field] == value
    assert seen.reasoning == "low; from=temperature=0.2"


def test_what_the_configuration_adds_is_no_part_of_apis_without_chat() -> None:
    gateway, backend = serving(
        {"data": []}, where=target(defaults={"temperature": 1}, extra_body={"seed": 1})
    )
    asked = Request("embeddings", "alias", {"model": "alias", "input": "Hi"}, False, dict)
    gateway.complete(asked, client(), trace())

    assert backend.calls[0].body == {"model": "wire-id", "input": "Hi"}


# ─── what is wrong with a request of another dialect ─────────────────────────────────────────────


def message(*content: Any) -> Request:
    body = {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}]}
    return anthropic_messages.parse(body)


def test_a_request_that_says_nothing_reaches_no_target() -> None:
    gateway, backend = serving("Hello")
    with pytest.raises(BadRequest, match="nothing that a model could answer"):
        gateway.complete(message({"type": "text", "text": ""}), client(), trace())

    assert backend.calls == []


def test_a_place_that_only_the_translation_has_is_not_named() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/x.png"}}

    def refuse(body: Body, where: Target, alive: Any) -> Body:
        raise BadRequest("'messages[0].x' holds a URL", param="messages[0].x", code="url_not_allowed")

    gateway, _ = serving("Hello", inline_images=refuse)
    with pytest.raises(BadRequest) as translated:
        gateway.complete(message(picture), client(), trace())
    with pytest.raises(BadRequest) as spoken:
        gateway.complete(request(), client(), trace())

    assert str(translated.value) == "'messages[0].x' of the request, written as chat, holds a URL"
    assert translated.value.param is None
    assert (translated.value.code, spoken.value.param) == ("url_not_allowed", "messages[0].x")
