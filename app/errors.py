"""Every way to fail, as a tree. Each leaf knows its HTTP status and OpenAI's words for it.

    GatewayError
    ├── BadRequest 400 ─┬─ ContextTooLong
    │                   ├─ TargetUnavailable     no key configured: it will not get better by repeating
    │                   ├─ UpstreamAuthentication  the target refused OUR key (its 401, 403)
    │                   └─ UpstreamBilling         the target wants to be paid (its 402)
    ├── WrongKey 401            the client's own key
    ├── ForeignOrigin 403       a web page of elsewhere, where no key is asked for
    ├── UnknownModel 404, UnknownPath 404, WrongMethod 405, BodyTooLarge 413, WrongMedia 415
    ├── UnsupportedEndpoint 404  the target has no such API
    ├── UnknownResponse 404     nothing is kept under that id
    ├── RateLimited 429         always leaves with Retry-After
    ├── LoopDetected 508
    ├── ClientLeft 499          nobody is there to read it: for the log
    └── UpstreamError 502 ─┬─ UpstreamRefused    another 4xx of the target, status kept
                           ├─ UpstreamFailed     its 5xx, status kept
                           ├─ UpstreamUnreachable
                           ├─ UpstreamTimeout 504
                           ├─ UpstreamGarbage    HTML, nothing, no JSON
                           └─ UpstreamCut        broke off in the middle

Agents repeat 401, 402 and 403 for minutes and 400 not at all (measured with the three
big ones), so what is about the target's key or money is a 400.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base of all; `str(error)` is the message for the client."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    retryable: ClassVar[bool] = False
    """Whether asking the same target again, before the first byte, may help."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status or self.status
        self.type = type or self.type
        self.code = code or self.code
        self.param = param
        self.retry_after = retry_after
        """Seconds, or None."""
        self.detail = detail
        """What the log may know at DEBUG and the client may not: the provider's words about our key."""


class BadRequest(GatewayError):
    status = 400
    type = "invalid_request_error"


class ContextTooLong(BadRequest):
    code = "context_length_exceeded"
    tokens: int | None = None
    """How long the request is, where that is known."""
    limit: int | None = None
    """How long one may be, where that is known."""


class TargetUnavailable(BadRequest):
    type = "upstream_authentication_error"
    code = "upstream_key_missing"


class UpstreamAuthentication(BadRequest):
    type = "upstream_authentication_error"
    code = "upstream_authentication_error"


class UpstreamBilling(BadRequest):
    type = "upstream_billing_error"
    code = "upstream_billing_error"


class WrongKey(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ForeignOrigin(GatewayError):
    status = 403
    type = "invalid_request_error"
    code = "origin_not_allowed"


class UnknownModel(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class UnknownPath(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "unknown_path"


class UnsupportedEndpoint(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "endpoint_not_supported"


class UnknownResponse(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "response_not_found"


class WrongMethod(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class BodyTooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class WrongMedia(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class RateLimited(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True


class LoopDetected(GatewayError):
    status = 508
    type = "invalid_request_error"
    code = "loop_detected"


class ClientLeft(GatewayError):
    status = 499
    type = "client_closed_request"
    code = "client_closed_request"


class UpstreamError(GatewayError):
    status = 502
    type = "server_error"  # OpenCode asks again after an event of this type, and gives up on any other
    code: str | None = "upstream_error"
    retryable = True


class UpstreamRefused(UpstreamError):
    status = 400
    type = "invalid_request_error"
    code = None
    retryable = False


class UpstreamFailed(UpstreamError):
    code = None


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamGarbage(UpstreamError):
    code = "upstream_bad_answer"
    retryable = False  # a wrong address does not mend itself


class UpstreamCut(UpstreamError):
    code = "upstream_cut"
