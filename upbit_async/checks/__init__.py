"""The rules that keep money safe. Pure: what Upbit says comes in as models."""

from __future__ import annotations

from upbit_async.checks.fee_convention import FeeConvention, contradictions, fee_convention_of, fits
from upbit_async.checks.preflight import Preflight, PreflightRequest, judge
from upbit_async.checks.reconcile import Reconciliation, conclude, matches

__all__ = [
    "FeeConvention",
    "Preflight",
    "PreflightRequest",
    "Reconciliation",
    "conclude",
    "contradictions",
    "fee_convention_of",
    "fits",
    "judge",
    "matches",
]
