"""Errors of signing in, which have their own HTTP answers."""

from __future__ import annotations

from clinical.errors import WardlinkError


class SignInError(WardlinkError):
    """Nobody is signed in, or badge and PIN do not belong together (HTTP 401)."""


class TooManyAttemptsError(WardlinkError):
    """Wait before trying again (HTTP 429)."""


class GivenUpError(WardlinkError):
    """The ward has given a handheld up: it destroys its keys and forgets everything (HTTP 410)."""
