"""Every error that reaches Flask, as an answer in the dialect of the path that was asked for."""

from __future__ import annotations

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, NotFound

from app.dialects import anthropic_messages, openai_chat
from app.errors import BadRequest, GatewayError, UnknownPath, UpstreamRefused, WrongMethod
from app.routes.edge import internal, refused
from app.types import Dialect
from app.utils.preview import preview


def handle(app: Flask) -> None:
    @app.errorhandler(GatewayError)
    def ours(problem: GatewayError) -> Response:
        dialect = dialect_at(request.path)
        if dialect is anthropic_messages and isinstance(problem, UpstreamRefused) and problem.status == 404:
            # Of a 404 Claude Code shows nothing but that there is something wrong with the model.
            problem = UpstreamRefused(str(problem), code=problem.code, param=problem.param)
        return refused(problem, dialect)

    @app.errorhandler(HTTPException)
    def theirs(problem: HTTPException) -> Response:
        response = refused(_translated(problem), dialect_at(request.path))
        if isinstance(problem, MethodNotAllowed) and problem.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(problem.valid_methods))
        return response

    @app.errorhandler(RecursionError)
    def too_deep(problem: RecursionError) -> Response:
        """Whatever walks a request may meet one that nobody can walk; that is no failure of ours."""
        if g.get("record") and g.record.trace.first is not None:  # it was an answer's
            return unforeseen(problem)
        return refused(BadRequest("the body is nested too deeply"), dialect_at(request.path))

    @app.errorhandler(Exception)
    def unforeseen(problem: Exception) -> Response:
        return refused(internal(problem, g.client.request_id), dialect_at(request.path))


def dialect_at(path: str) -> Dialect:
    """The dialect whose errors a path speaks. All of OpenAI's APIs have the same."""
    first, _, rest = path.lstrip("/").partition("/")
    name = rest.partition("/")[0] if first == "v1" else first
    return anthropic_messages if name == "messages" else openai_chat


def _translated(problem: HTTPException) -> GatewayError:
    path = preview(request.path)
    if isinstance(problem, NotFound):
        return UnknownPath(f"there is nothing at {request.method} {path}: see GET /v1/models, API_SPEC.md")
    if isinstance(problem, MethodNotAllowed):
        allowed = " or ".join(sorted(set(problem.valid_methods or ()) - {"OPTIONS", "HEAD"}))
        return WrongMethod(f"{path} is asked with {allowed}, not {request.method}")
    if isinstance(problem, BadHost):
        return BadRequest("the Host header holds no host name")
    return BadRequest(problem.description or problem.name, status=problem.code)
