"""The errors every room shares.

::

    WardlinkError
    ├── BadInputError      what came in cannot be used           (HTTP 422)
    ├── NotFoundError      what it names does not exist          (HTTP 404)
    ├── ConflictError      a newer fact stands against it        (HTTP 409)
    ├── RefusedError       this person or device may not         (HTTP 403)
    └── UnavailableError   a part it needs does not answer       (HTTP 503)

A refused bedside check is none of these: it is a result that is shown, stored and counted.
"""

from __future__ import annotations


class WardlinkError(Exception):
    """Something went wrong in a way a person or a caller can act on.

    Args:
        code: Stable, kebab-case; screens translate it, callers match on it.
        message: One plain English sentence that says what to do. Never patient data.
        params: Values for the translated sentence. Never patient data.
    """

    def __init__(self, code: str, message: str, **params: str | float) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.params = params


class BadInputError(WardlinkError):
    """What came in cannot be used as it is."""


class NotFoundError(WardlinkError):
    """What the input names does not exist."""


class ConflictError(WardlinkError):
    """A newer fact stands against the input; fetch it and decide again."""


class RefusedError(WardlinkError):
    """This person or device may not do that."""


class UnavailableError(WardlinkError):
    """A part that is needed does not answer; nothing was lost, try again."""
