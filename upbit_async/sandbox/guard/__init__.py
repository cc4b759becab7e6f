"""Checks that a signed request passes before its route: token, key, nonce, hash, rate limit."""

from upbit_async.sandbox.guard.guard import AuthenticatedRequest, Guard

__all__ = ["AuthenticatedRequest", "Guard"]
