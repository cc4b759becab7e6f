"""Rules that keep money safe: preflight checks, and matching of a withdrawal whose answer was lost. Pure."""

from __future__ import annotations

from upbit_async.checks.fee_convention import (
    FeeConvention,
    contradictions,
    fee_convention_of,
    fits,
    possible_amounts,
)
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
    "possible_amounts",
]
