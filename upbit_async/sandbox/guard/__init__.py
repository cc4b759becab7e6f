"""What the exchange checks before a request reaches its route."""

from upbit_async.sandbox.guard.guard import Guard, Pass

__all__ = ["Guard", "Pass"]
