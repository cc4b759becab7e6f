"""The rules that keep money safe. Pure: what Upbit says comes in as models."""

from __future__ import annotations

from upbit_async.checks.agreement import Reading, contradictions, fits, reading_of
from upbit_async.checks.preflight import Preflight, PreflightRequest, judge
from upbit_async.checks.reconcile import Reconciliation, conclude, matches

__all__ = [
    "Preflight",
    "PreflightRequest",
    "Reading",
    "Reconciliation",
    "conclude",
    "contradictions",
    "fits",
    "judge",
    "matches",
    "reading_of",
]
