"""`client.accounts`: balances and API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.errors import NotFound
from upbit_async.protocol.endpoints import LIST_ACCOUNTS, LIST_API_KEYS
from upbit_async.resources import inputs

if TYPE_CHECKING:
    import builtins

    from upbit_async.models import Account, ApiKey
    from upbit_async.protocol.endpoint import Transport

__all__ = ["Accounts"]


class Accounts:
    """Balances and API keys of the account.

    See https://global-docs.upbit.com/reference/get-balance.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[Account]:
        """Return the balance of each currency, in Upbit's order. Currencies without a balance may be missing.

        Raises:
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                for account in await client.accounts.list():
                    print(account.currency, account.balance, account.locked)
        """
        return await self._transport.call(LIST_ACCOUNTS)

    async def api_keys(self) -> builtins.list[ApiKey]:
        """Return the account's API keys and when they expire. Upbit lists them in Korea only.

        See https://docs.upbit.com/kr/reference/list-api-keys.

        Raises:
            ConfigurationError: The client is for another region.
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                async with UpbitClient("kr") as client:
                    keys = await client.accounts.api_keys()
        """
        return await self._transport.call(LIST_API_KEYS)

    async def get(self, currency: str) -> Account:
        """Return the balance of one currency.

        Args:
            currency: Currency code.

        Raises:
            NotFound: Upbit lists no balance of this currency, which may mean that it is zero.
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                account = await client.accounts.get("USDT")
                print(account.balance)
        """
        wanted = inputs.text("currency", currency)
        for account in await self.list():
            if account.currency == wanted:
                return account
        raise NotFound(
            f"{LIST_ACCOUNTS.label}: the account lists no balance of {wanted}; it has none, or the code is wrong",
            status=200,
            endpoint=LIST_ACCOUNTS.label,
            asked_for=wanted,
        )
