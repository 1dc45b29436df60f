"""What can be wrong with a request. Each interface renders these in its own callers' shape.

```
ApiError
├── BadRequest            400  the body is not what the interface takes
├── Unauthorized          401  no key, or an unknown one
├── Forbidden             403  the key may not do this
├── NotFound              404  no such path or model
├── MethodNotAllowed      405  the path is there, for another method
├── NotAcceptable         406  the caller takes none of the types that are sent
├── BodyTimeout           408  the body came too slowly
├── BodyTooLarge          413  the body, or its number of posts, is over a cap
├── UnsupportedBody       415  a content type or encoding that the interface does not read
├── Unscorable            422  the request is fine, its post is not
├── TooLargeForRate       413  more posts at once than the caller's rate allows in a minute
├── TooManyPosts          429  over the caller's rate
├── Overloaded            429  the queue is full
├── ClientDisconnected            499  nobody waits for the answer any more (never sent)
├── InternalError         500  our fault; details are in the log
└── DeadlineExceeded      504  not scored in time
```
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """Base of all errors below.

    Attributes:
        status: HTTP status.
        code: A stable snake_case word for programs.
        message: One sentence for people.
        retry_after: Seconds after which the same request may work, or None.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after = retry_after


class BadRequest(ApiError):  # noqa: N818 - named like the HTTP status, as in other HTTP libraries
    """The body is not what the interface takes."""

    status = 400
    default_code = "invalid_request"


class Unauthorized(ApiError):  # noqa: N818
    """No key, or an unknown one."""

    status = 401
    default_code = "invalid_api_key"


class Forbidden(ApiError):  # noqa: N818
    """The key may not do this."""

    status = 403
    default_code = "forbidden"


class NotFound(ApiError):  # noqa: N818
    """No such path or model."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(ApiError):  # noqa: N818
    """The path is there, for another method."""

    status = 405
    default_code = "method_not_allowed"


class NotAcceptable(ApiError):  # noqa: N818
    """The caller takes none of the types that are sent."""

    status = 406
    default_code = "not_acceptable"


class BodyTimeout(ApiError):  # noqa: N818
    """The body came too slowly."""

    status = 408
    default_code = "body_timeout"


class BodyTooLarge(ApiError):  # noqa: N818
    """The body, or the number of its posts, is over a cap."""

    status = 413
    default_code = "body_too_large"


class UnsupportedBody(ApiError):  # noqa: N818
    """A content type or encoding that the interface does not read."""

    status = 415
    default_code = "unsupported_media_type"


class Unscorable(ApiError):  # noqa: N818
    """The request is fine, its post is not; the code is that of the failed post."""

    status = 422
    default_code = "post_unscorable"


class TooLargeForRate(ApiError):  # noqa: N818
    """More posts at once than the caller's rate allows in a minute."""

    status = 413
    default_code = "too_many_posts"


class TooManyPosts(ApiError):  # noqa: N818
    """Over the rate of the caller."""

    status = 429
    default_code = "rate_limit_exceeded"


class Overloaded(ApiError):  # noqa: N818
    """The queue, or the memory for request bodies, is full."""

    status = 429
    default_code = "overloaded"


class ClientDisconnected(ApiError):  # noqa: N818
    """Nobody waits for the answer any more."""

    status = 499
    default_code = "client_disconnected"


class InternalError(ApiError):
    """Our fault; details are in the log under the request id."""


class DeadlineExceeded(ApiError):  # noqa: N818
    """Not scored in time."""

    status = 504
    default_code = "deadline_exceeded"
