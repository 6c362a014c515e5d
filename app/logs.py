"""How a line is written: levels, the two formats, and the masking that none can go around.

Every line of the process, ours by structlog, a library's by `logging`, a warning, gunicorn's, an
uncaught exception's, is rendered by `_Outlet.render` and leaves by `_Outlet.write`. There, and only
there, the finished line is masked; whoever adds a way out that does not end there breaks a promise.

    get(name).info(…)  ─┐
    logging, warnings  ─┼→ render (console or JSON) → mask → one write, flushed
    stray stderr       ─┘

The console's lines are for people: local time, no field that only a machine wants, control characters
escaped. JSON lines have the same words as fields. Colours never stand between a name and its value,
where they would hide the value from the masker.

At DEBUG a `DebugView` for each request tells what `app.utils.preview` sees in it. At any other level
`debug_view` gives None, and a request pays one `if`.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import io
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, ParamSpec, Protocol, TextIO

import orjson
from gunicorn.glogging import Logger as _GunicornsLogger

from app.errors import ClientLeft, GatewayError
from app.types import Batch, Body, Client, Completion, Request, Target, Trace
from app.utils.masking import Masker
from app.utils.preview import (
    CHUNK,
    ERROR,
    TARGET,
    Line,
    Story,
    as_json,
    preview,
    request_lines,
    size,
    size_of_talk,
    target_lines,
    usage_numbers,
)

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
}

_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)


# ─── rendering ───────────────────────────────────────────────────────────────────────────────────

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PLAIN_VALUE = re.compile(r"[\w.:/@+-]+")
_COLOURS = {"DEBUG": "\x1b[2m", "INFO": "\x1b[32m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m"}
_MARKER = re.compile(r"\[[A-Z][\w ]*\]")
_RESET = "\x1b[0m"


class _Clock:
    """Times as text; what does not change within a second is not made anew."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._utc: tuple[int, str] = (-1, "")
        self._local: tuple[int, str] = (-1, "")

    def utc(self) -> str:
        """`2026-11-21T12:01:02.123Z`"""
        second, part = divmod(self._now(), 1)
        if self._utc[0] != second:
            self._utc = (int(second), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._utc[1]}.{int(part * 1000):03}Z"

    def local(self) -> str:
        """`12:01:02.123`"""
        second, part = divmod(self._now(), 1)
        if self._local[0] != second:
            self._local = (int(second), time.strftime("%H:%M:%S", time.localtime(second)))
        return f"{self._local[1]}.{int(part * 1000):03}"


Fields = MutableMapping[str, Any]


def _json_line(level: str, fields: Fields, clock: _Clock) -> str:
    line = {"time": clock.utc(), "level": level.lower(), "event": fields.pop("event", ""), **fields}
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, a number beyond 64 bits, a circle
        return json.dumps(_texts(line), default=str)


def _texts(value: Any, depth: int = 0) -> Any:
    """The value with what JSON cannot hold as text."""
    if depth > 20:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _texts(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(inner, depth + 1) for inner in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def _console_line(level: str, fields: Fields, clock: _Clock, colour: bool) -> str:
    event, name, stack = str(fields.pop("event", "")), fields.pop("logger", ""), fields.pop("exception", "")
    words = [event]
    if name and not name.startswith("app"):
        words.insert(0, f"{name}:")
    words += [f"{key}={_console_value(value)}" for key, value in fields.items()]
    text = " ".join(words)
    if stack:
        text = f"{text}\n{stack}"
    if not text.isprintable():
        text = _CONTROL.sub(_escaped, text).replace("\n", "\n    ")
    if not colour:
        return f"{clock.local()} {level:<7} {text}"
    text = _MARKER.sub(lambda marker: f"\x1b[1m{marker[0]}{_RESET}", text, count=1)
    return f"\x1b[2m{clock.local()}{_RESET} {_COLOURS.get(level, '')}{level:<7}{_RESET} {text}"


def _console_value(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _escaped(match: re.Match[str]) -> str:
    """A character that a terminal would act upon, as Python writes it."""
    return match[0].encode("unicode_escape").decode("ascii")


# ─── the one way out ─────────────────────────────────────────────────────────────────────────────


class _Outlet:
    """Where lines are rendered, masked and written. It is structlog's logger and its only processor."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the beginning: warnings and worse, to stderr, for people; no key is known yet."""
        self.masker = Masker()
        self.level = logging.WARNING
        self.json = False
        self.colour = False
        self.clock = _Clock(time.time)
        self._stream: TextIO | None = None

    @property
    def stream(self) -> TextIO:
        return self._stream or _unguarded(sys.stderr)

    def use(self, stream: TextIO | None, format: str) -> None:
        self._stream = None if stream is None else _unguarded(stream)
        self.json = format == "json"
        self.colour = format != "json" and "NO_COLOR" not in os.environ and self.stream.isatty()

    def render(self, logger: Any, level: str, fields: Fields) -> str:
        """The line for structlog and for `logging`; no line ever has an exception's local variables."""
        if (problem := _exception_of(fields.pop("exc_info", None))) is not None:
            fields["exception"] = "".join(traceback.format_exception(problem)).rstrip()
        if "id" not in fields and (request_id := _request_id.get()):
            fields["id"] = request_id
        level = level.upper()
        if self.json:
            return _json_line(level, fields, self.clock)
        return _console_line(level, fields, self.clock, self.colour)

    def write(self, line: str) -> None:
        """The masked line, by one write, at once. A broken or closed stream is nobody's problem."""
        masked = self.masker.mask(line) + "\n"
        stream = self.stream
        try:
            stream.write(masked)
            stream.flush()
        except UnicodeEncodeError:
            _write_ascii(stream, masked)
        except RuntimeError:  # a signal's handler has interrupted another write to the same stream
            _write_past_buffer(stream, masked)
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg = write


def _write_ascii(stream: TextIO, text: str) -> None:
    """For a stream that cannot hold every character (`LC_ALL=C`, half a surrogate pair)."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        stream.flush()


def _write_past_buffer(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.write(stream.fileno(), text.encode("utf-8", "backslashreplace"))


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


_outlet = _Outlet()


# ─── our own lines ───────────────────────────────────────────────────────────────────────────────


class _Say(Protocol):
    def __call__(self, event: str, **fields: Any) -> Any: ...


_METHODS = ("debug", "info", "warning", "error", "exception")


class Logger:
    """A structlog logger of a name; its methods are made when first called, and anew when the level changes.

    structlog's own lazy loggers cost a microsecond a call, or else never hear of a new level. It is only
    imported for a line, for it brings asyncio along, and gunicorn's master has hardly anything to say.
    """

    __slots__ = ("debug", "error", "exception", "info", "name", "warning")

    debug: _Say
    info: _Say
    warning: _Say
    error: _Say
    exception: _Say

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, method: str) -> Any:
        if method not in _METHODS:
            raise AttributeError(method)
        import structlog

        bound = structlog.wrap_logger(
            _outlet,
            processors=[_outlet.render],
            wrapper_class=structlog.make_filtering_bound_logger(_outlet.level),
        ).bind(logger=self.name)
        for name in _METHODS:
            setattr(self, name, getattr(bound, name))
        return getattr(self, method)

    def rewire(self) -> None:
        """What is called next has the level and the outlet of now."""
        for method in _METHODS:
            with contextlib.suppress(AttributeError):
                object.__delattr__(self, method)


_loggers: dict[str, Logger] = {}


def get(name: str) -> Logger:
    """The logger of a module; it may be had before `configure` is called."""
    if name not in _loggers:
        _loggers[name] = Logger(name)
    return _loggers[name]


def configure(
    level: str,
    format: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    now: Callable[[], float] = time.time,
) -> None:
    """From now on, and again with each call: this level, this format, these secrets too.

    `format` is `console`, `json`, or `auto`: console, coloured where a terminal reads. `stream` is stderr
    if not given. Takes over the root logger, warnings, and gunicorn's loggers.
    """
    _outlet.level = LEVELS[level.upper()]
    _outlet.clock = _Clock(now)
    _outlet.use(stream, format)
    learn(secrets)
    for logger in _loggers.values():
        logger.rewire()
    if "structlog" in sys.modules:
        prepare()
    _take_over_logging()


def prepare() -> None:
    """Loads structlog, and makes loggers that are asked of it directly write here too."""
    import structlog

    structlog.configure(
        processors=[_outlet.render],
        wrapper_class=structlog.make_filtering_bound_logger(_outlet.level),
        logger_factory=lambda *names: _outlet,
        cache_logger_on_first_use=False,
    )


def release() -> None:
    """Forgets all that `configure`, `learn` and `tag` were told; for whoever only borrowed the process."""
    _outlet.forget()
    tag(None)
    for logger in _loggers.values():
        logger.rewire()
    if "structlog" in sys.modules:
        sys.modules["structlog"].reset_defaults()
    logging.captureWarnings(False)
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(logging.NOTSET)


def learn(secrets: Iterable[str]) -> None:
    """These are masked as well. What was secret before a reload stays secret."""
    new = frozenset(secrets).difference(_outlet.masker.secrets)
    if new:
        _outlet.masker = _outlet.masker.with_secrets(new)


def masked(text: str) -> str:
    """The text without any secret that is known here; for what a client is told of somebody else's words."""
    return _outlet.masker.mask(text)


def is_debug() -> bool:
    return _outlet.level <= logging.DEBUG


def tag(request_id: str | None) -> None:
    """Lines of this thread or greenlet that name no request of their own, a library's too, get this id."""
    _request_id.set(request_id)


# ─── other people's lines ────────────────────────────────────────────────────────────────────────


class _Handler(logging.Handler):
    """Hands the standard library's records to the outlet."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: Fields = {"logger": record.name, "event": _message_of(record)}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        elif record.exc_text:
            fields["exception"] = record.exc_text
        if record.stack_info:
            fields["exception"] = f"{fields.get('exception', '')}{record.stack_info}"
        try:
            _outlet.write(_outlet.render(None, _level_name(record.levelno), fields))
        except Exception as problem:
            # logging's own answer would print the arguments, unmasked
            _outlet.write(f"{record.name}: a line could not be written ({type(problem).__name__})")


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as problem:
        return f"{record.msg!r} % {_repr(record.args)} ({type(problem).__name__})"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _level_name(number: int) -> str:
    return next((name for name, least in reversed(LEVELS.items()) if number >= least), "DEBUG")


def _take_over_logging() -> None:
    """The root logger writes through the outlet; libraries from WARNING on, at DEBUG from INFO on."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    for handler in [*root.handlers]:
        if isinstance(handler, _Handler) or _writes_to_terminal(handler):
            root.removeHandler(handler)
    root.addHandler(_Handler())
    root.setLevel(logging.INFO if is_debug() else max(_outlet.level, logging.WARNING))
    logging.getLogger("app").setLevel(_outlet.level)
    adopt("gunicorn.error", "gunicorn.access")


def adopt(*names: str) -> None:
    """Loggers that write to stdout or stderr by themselves write through the outlet instead.

    Without names: all that exist. Call it after importing a library that attaches handlers.
    """
    for name in names or [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        own = [handler for handler in logger.handlers if _writes_to_terminal(handler)]
        for handler in own:
            logger.removeHandler(handler)
        if own or names:
            logger.propagate = True


def _writes_to_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return isinstance(handler, logging.StreamHandler) and stream in (
        sys.stdout,
        sys.stderr,
        sys.__stdout__,
        sys.__stderr__,
        _outlet.stream,
    )


class GunicornLogger(_GunicornsLogger):
    """gunicorn's logger without handlers of its own."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        adopt("gunicorn.error", "gunicorn.access")


class _Guard(io.TextIOBase):
    """A stderr whose lines leave by the outlet: tracebacks of threads and greenlets, `print`, wsgi.errors."""

    LONGEST = 65_536

    def __init__(self, guarded: TextIO) -> None:
        self.guarded = guarded
        self._rest = ""

    def write(self, text: str, /) -> int:
        *lines, rest = (self._rest + text).split("\n")
        if len(rest) > self.LONGEST:
            lines, rest = [*lines, rest], ""
        self._rest = rest
        for line in filter(str.strip, lines):
            _outlet.write(_outlet.render(None, "error", {"logger": "stderr", "event": line}))
        return len(text)

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        return self.guarded.encoding

    def fileno(self) -> int:
        return self.guarded.fileno()

    def isatty(self) -> bool:
        return self.guarded.isatty()


def _unguarded(stream: TextIO) -> TextIO:
    return stream.guarded if isinstance(stream, _Guard) else stream


def guard_stderr() -> Callable[[], None]:
    """Whatever is written to `sys.stderr` becomes masked lines; returns what undoes it."""
    before = sys.stderr
    sys.stderr = _Guard(_unguarded(before))

    def undo() -> None:
        sys.stderr = before

    return undo


# ─── a request's two lines ───────────────────────────────────────────────────────────────────────

_requests = get("app.requests")


def request_started(client: Client, dialect: str, asked: Request, octets: int) -> None:
    """The line when a request has been understood."""
    if _outlet.level > logging.INFO:
        return
    numbers = size_of_talk(asked.body)
    alias = _alias_of(asked)
    if _outlet.json:
        _requests.info(
            "request started",
            **_who(client),
            dialect=dialect,
            alias=alias,
            stream=asked.stream,
            bytes=octets,
            messages=numbers[0],
            tools=numbers[1],
        )
        return
    kind = f"{dialect} stream" if asked.stream else dialect
    text = f"→ {alias} {kind} {size(octets)}, {numbers[0]} messages, {numbers[1]} tools"
    _requests.info(text, **_who(client))


def request_ended(
    client: Client,
    dialect: str,
    asked: Request | None,
    trace: Trace,
    status: int,
    problem: Exception | None = None,
) -> None:
    """The line when all is over: a warning if it is the gateway's or the target's fault."""
    fault = problem is not None and not isinstance(problem, ClientLeft) and _status_of(problem) >= 500
    if _outlet.level > (logging.WARNING if fault else logging.INFO):
        return
    say = _requests.warning if fault else _requests.info
    fields = _ended(dialect, asked, trace, status, problem)
    if _outlet.json:
        say(
            "request ended",
            **_who(client),
            **{key: value for key, value in fields.items() if value is not None},
        )
    else:
        say(_sentence(fields), **_who(client))


def _who(client: Client) -> dict[str, str]:
    if client.session:
        return {"id": client.request_id, "session": client.session}
    return {"id": client.request_id}


def _alias_of(asked: Request | None) -> str:
    """What the client asked for: its own words, so not too many of them."""
    return "-" if asked is None else preview(str(asked.model), 100, 60)


def _status_of(problem: Exception) -> int:
    return problem.status if isinstance(problem, GatewayError) else 500


def _ended(
    dialect: str, asked: Request | None, trace: Trace, status: int, problem: Exception | None
) -> dict[str, Any]:
    now = time.monotonic()
    target, tokens = trace.target, usage_numbers(trace.usage)
    left = isinstance(problem, ClientLeft)
    failed = problem is not None and not left
    return {
        "dialect": dialect,
        "alias": _alias_of(asked),
        # at INFO the log shows the alias; what it means at the provider is for those who debug
        "target": None if target is None else target.name if is_debug() else target.provider,
        "status": status,
        "tokens_in": tokens.tokens_in,
        "tokens_out": tokens.tokens_out,
        "cached": tokens.cached,
        "reasoning": tokens.reasoning,
        "first_ms": None if trace.first is None else round((trace.first - trace.started) * 1000),
        "duration_ms": round((now - trace.started) * 1000),
        "tries": trace.tries,
        "finish": trace.finish,
        "reasoning_level": trace.reasoning or None,
        "notes": "; ".join(trace.notes) or None,
        "client_left": True if left else None,
        "error": _kind_of(problem) if failed else None,
        "message": preview(str(problem), 300, 200) if failed else None,
    }


def _kind_of(problem: Exception | None) -> str:
    return (problem.code or problem.type) if isinstance(problem, GatewayError) else type(problem).__name__


def _sentence(ended: Mapping[str, Any]) -> str:
    """`← 200 glm via zai 1.24s (first 0.31s) 1203→88 tokens (cached 1100) tries 1 finish stop`"""
    words = [f"← {ended['status']} {ended['alias']}"]
    if ended["target"]:
        words.append(f"via {ended['target']}")
    words.append(_duration(ended["duration_ms"]))
    if ended["first_ms"] is not None:
        words.append(f"(first {_duration(ended['first_ms'])})")
    if ended["tokens_in"] is not None or ended["tokens_out"] is not None:
        words.append(_tokens(ended))
    words.append(f"tries {ended['tries']}")
    if ended["finish"]:
        words.append(f"finish {ended['finish']}")
    if ended["reasoning_level"]:
        words.append(f"thinks {ended['reasoning_level']}")
    if ended["notes"]:
        words.append(f"({ended['notes']})")
    if ended["client_left"]:
        words.append("client left")
    if ended["error"]:
        words.append(f"{ended['error']}: {ended['message']}")
    return " ".join(words)


def _duration(milliseconds: int) -> str:
    return f"{milliseconds}ms" if milliseconds < 100 else f"{milliseconds / 1000:.2f}s"


def _tokens(ended: Mapping[str, Any]) -> str:
    numbers = (ended["tokens_in"], ended["tokens_out"])
    came, went = ("?" if number is None else str(number) for number in numbers)
    details = ", ".join(f"{name} {ended[name]}" for name in ("cached", "reasoning") if ended[name])
    return f"{came}→{went} tokens ({details})" if details else f"{came}→{went} tokens"


def failure(request_id: str, problem: BaseException) -> None:
    """Our own mistake, with its stack, at every level."""
    _requests.error(
        f"{ERROR} {type(problem).__name__}: {preview(str(problem))}", id=request_id, exc_info=problem
    )


# ─── the debug view ──────────────────────────────────────────────────────────────────────────────

_P = ParamSpec("_P")


def _harmless(method: Callable[_P, None]) -> Callable[_P, None]:
    """A view that fails says so and lets the request go on."""

    @functools.wraps(method)
    def harmless(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as problem:
            _requests.debug(f"{ERROR} the debug view failed", exc_info=problem)

    return harmless


class DebugView:
    """All about one request, for people: see docs/logs.md. Never raises."""

    def __init__(self, client: Client) -> None:
        self._id = client.request_id
        self._story = Story()
        self._told = False

    @_harmless
    def request(self, body: Body) -> None:
        """What the client asked."""
        self._say(request_lines(body))

    @_harmless
    def target(self, target: Target, body: Body, way: object) -> None:
        """Where it goes, by which way and why, and the body that is sent there."""
        self._say(target_lines(target.name, target.base_url, body, str(way)))

    @_harmless
    def left_out(self, names: Sequence[str]) -> None:
        """What the target is not told, because chat has no word for it."""
        if names:
            self._say(
                [Line(TARGET, f"left out, for chat cannot say it: {preview(', '.join(names), 600, 500)}")]
            )

    @_harmless
    def received(self, batch: Batch) -> None:
        """Chunks as they came. Before they are rewritten, which happens in place."""
        for chunk in batch:
            self._say([Line(CHUNK, f"received {as_json(chunk)}")])
            self._say(self._story.feed(chunk))

    @_harmless
    def sent(self, batch: Batch) -> None:
        """The same chunks as the client gets them."""
        self._say(Line(CHUNK, f"sent {as_json(chunk)}") for chunk in batch)

    @_harmless
    def response(self, answer: Completion | None = None) -> None:
        """The whole answer, or without one: the end of a stream."""
        if answer is not None:
            self._say(self._story.feed(answer))
        self._tell()

    @_harmless
    def error(self, problem: BaseException) -> None:
        """What had come until then, and what went wrong: our own mistakes' stack, the others' cause."""
        self._tell()
        if not isinstance(problem, GatewayError):
            _requests.debug(f"{ERROR} {type(problem).__name__}", id=self._id, exc_info=problem)
            return
        cause = problem.__cause__ or problem.__context__
        because = f" because of {type(cause).__name__}: {preview(str(cause), 300, 200)}" if cause else ""
        because += f" the provider said: {preview(problem.detail, 300, 200)}" if problem.detail else ""
        self._say(
            [Line(ERROR, f"{problem.status} {_kind_of(problem)}: {preview(str(problem), 300, 200)}{because}")]
        )

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._say(self._story.close())

    def _say(self, lines: Iterable[Line]) -> None:
        for marker, text in lines:
            _requests.debug(f"{marker} {text}", id=self._id)


def debug_view(client: Client) -> DebugView | None:
    """A view of this request at DEBUG, else None."""
    return DebugView(client) if is_debug() else None
