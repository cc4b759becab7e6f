"""placeholder until merge"""

from __future__ import annotations


class AccountReconciliation: ...


class Reconciler:
    async def run_pass(self, currency: str | None = None) -> AccountReconciliation:
        return AccountReconciliation()
