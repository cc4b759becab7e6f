"""What the exchange checks before a request reaches its route."""

from upbit_async.sandbox.guard.guard import AuthenticatedRequest, Guard

__all__ = ["AuthenticatedRequest", "Guard"]
