"""Checks that a request passes before its route: token, nonce, hash, limits."""

from upbit_async.sandbox.guard.guard import AuthenticatedRequest, Guard

__all__ = ["AuthenticatedRequest", "Guard"]
