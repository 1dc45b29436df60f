"""What can be wrong with a request. Each interface renders these in its own callers' shape."""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """Base of all errors below.

    Attributes:
        status: HTTP status.
        code: A stable snake_case word for programs; that of the class unless an error names another.
        message: One sentence for people.
        retry_after: Seconds after which the same request may work, or None.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        cls.status = status or cls.status
        cls.default_code = code or cls.default_code

    def __init__(self, message: str, *, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after = retry_after


class BadRequest(ApiError, status=400, code="invalid_request"):  # noqa: N818 - named like the status
    """The body is not what the interface takes."""


class Unauthorized(ApiError, status=401, code="invalid_api_key"):  # noqa: N818
    """No key, or an unknown one."""


class Forbidden(ApiError, status=403, code="forbidden"):  # noqa: N818
    """The key may not do this."""


class NotFound(ApiError, status=404, code="not_found"):  # noqa: N818
    """No such path or model."""


class MethodNotAllowed(ApiError, status=405, code="method_not_allowed"):  # noqa: N818
    """The path is there, for another method."""


class NotAcceptable(ApiError, status=406, code="not_acceptable"):  # noqa: N818
    """The caller takes none of the types that are sent."""


class BodyTimeout(ApiError, status=408, code="body_timeout"):  # noqa: N818
    """The body came too slowly."""


class BodyTooLarge(ApiError, status=413, code="body_too_large"):  # noqa: N818
    """The body, or the number of its posts, is over a cap, or over what the caller may send in a minute."""


class UnsupportedBody(ApiError, status=415, code="unsupported_media_type"):  # noqa: N818
    """A content type or encoding that the interface does not read."""


class Unscorable(ApiError, status=422, code="post_unscorable"):  # noqa: N818
    """The request is fine, its post is not; the code is that of the failed post."""


class TooManyPosts(ApiError, status=429, code="rate_limit_exceeded"):  # noqa: N818
    """Over the rate of the caller."""


class Overloaded(ApiError, status=429, code="overloaded"):  # noqa: N818
    """The queue, or the memory for request bodies, is full."""


class ClientDisconnected(ApiError, status=499, code="client_disconnected"):  # noqa: N818
    """Nobody waits for the answer any more."""


class InternalError(ApiError):
    """Our fault; details are in the log under the request id."""


class TooManyConnections(ApiError, status=503, code="too_many_connections"):  # noqa: N818
    """As many connections as the service has are in use."""


class DeadlineExceeded(ApiError, status=504, code="deadline_exceeded"):  # noqa: N818
    """Not scored in time."""
