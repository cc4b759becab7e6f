"""What ends all waiting: errors after which looking again would not help."""

from __future__ import annotations

from upbit_async.errors import AuthenticationError, Banned, ConfigurationError, PermissionDenied

__all__ = ["HOPELESS"]

HOPELESS = (AuthenticationError, PermissionDenied, Banned, ConfigurationError)
