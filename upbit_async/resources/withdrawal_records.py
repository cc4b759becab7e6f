"""Base class of `client.withdraws`: reading and waiting, without moving money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.models import Withdrawal, WithdrawalAddress, WithdrawalChance, WithdrawalState
from upbit_async.polling import Watcher, WithdrawalPoller, read_token
from upbit_async.protocol.endpoints import (
    GET_WITHDRAWAL,
    GET_WITHDRAWAL_CHANCE,
    LIST_WITHDRAWAL_ADDRESSES,
    LIST_WITHDRAWALS,
)
from upbit_async.resources import inputs
from upbit_async.resources.records import TransferRecords

if TYPE_CHECKING:
    import builtins

    from upbit_async.policy import PollSchedule
    from upbit_async.protocol.endpoint import Transport

__all__ = ["WithdrawalRecords"]


class WithdrawalRecords(TransferRecords[Withdrawal]):
    """Limits, addresses, records and pollers of withdrawals.

    Attributes:
        watcher: What the pollers of this client share: it polls many withdrawals with few requests.
    """

    def __init__(self, transport: Transport, schedule: PollSchedule) -> None:
        super().__init__(
            transport,
            listing=LIST_WITHDRAWALS,
            single=GET_WITHDRAWAL,
            states=WithdrawalState,
        )
        self.watcher: Watcher[Withdrawal] = Watcher(
            self._fetch_by_uuid, schedule, kind="withdrawal", host=transport.host, emit=transport.emit
        )

    async def chance(self, currency: str, net_type: str) -> WithdrawalChance:
        """Return whether a currency can be withdrawn, the limits, the fee and the balance.

        Ignore two of its fields: `currency.wallet_state` says whether the wallet was ever supported (see
        `currency.wallet_support` instead), and `withdraw_limit.remaining_daily` is no limit.
        See https://global-docs.upbit.com/reference/available-withdrawal-information.

        Args:
            currency: Currency code.
            net_type: Network identifier.

        Raises:
            ValidationError: Upbit does not know the currency or the network.

        Example:
            .. code-block:: python

                chance = await client.withdraws.chance("USDT", "TRX")
                print(chance.account.balance, chance.currency.withdraw_fee, chance.withdraw_limit.minimum)
        """
        return await self._transport.call(
            GET_WITHDRAWAL_CHANCE, inputs.currency_and_network(currency, net_type)
        )

    async def addresses(
        self,
        currency: str | None = None,
        net_type: str | None = None,
        exchange_name: str | None = None,
    ) -> builtins.list[WithdrawalAddress]:
        """Return the registered withdrawal addresses. Upbit sends to no others.

        Upbit always returns all addresses; the filters apply here.
        See https://global-docs.upbit.com/reference/list-withdrawal-addresses.

        Args:
            currency: Currency code; None means all currencies.
            net_type: Network identifier; None means all networks.
            exchange_name: Exchange of the address, in any case; Upbit names it in Singapore and Korea only.

        Example:
            .. code-block:: python

                for address in await client.withdraws.addresses("USDT", "TRX"):
                    print(address.withdraw_address, address.secondary_address)
        """
        currency = inputs.optional_text("currency", currency)
        net_type = inputs.optional_text("net_type", net_type)
        exchange = inputs.optional_text("exchange_name", exchange_name)
        return [
            address
            for address in await self._transport.call(LIST_WITHDRAWAL_ADDRESSES)
            if currency in {None, address.currency}
            and net_type in {None, address.net_type}
            and (exchange is None or (address.exchange_name or "").casefold() == exchange.casefold())
        ]

    def poller(self, uuid: str, *, last: Withdrawal | None = None) -> WithdrawalPoller:
        """Return a poller for a withdrawal. This sends no request.

        Args:
            uuid: Id of the withdrawal.
            last: The withdrawal, if it was read just now. Then the first poll takes place after ``poll.first`` seconds;
                otherwise, at once.

        Raises:
            TypeError: `last` is not a withdrawal.
            ValueError: The id is empty, or `last` is another withdrawal.

        Example:
            .. code-block:: python

                sent = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
                async for change in client.withdraws.poller(sent.uuid).changes():
                    print(change.previous, change.state)
        """
        if last is not None and not isinstance(last, Withdrawal):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"last must be a Withdrawal, got {type(last).__name__}")
        return self._poller(inputs.text("uuid", uuid), last)

    async def wait(
        self,
        uuid: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last poll
    ) -> Withdrawal:
        """Wait until a withdrawal reaches a final state, paid or not, and return it.

        Args:
            uuid: Id of the withdrawal.
            timeout: Timeout for the wait, in seconds; None means no limit.

        Raises:
            PollTimeout: The time is over. The withdrawal is still in progress.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
                withdrawal = await client.withdraws.wait(poller.uuid, timeout=3600)
                print(withdrawal.state)
        """
        return await self.poller(uuid).wait(timeout=timeout)

    def resume(self, resume_token: str) -> WithdrawalPoller:
        """Return a poller that continues a wait, perhaps one of another process.

        Args:
            resume_token: Token from a poller, or from an error that ended a wait.

        Raises:
            ValueError: The text is no resume token, or is for another region, host or kind of transfer.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
                withdrawal = await client.withdraws.resume(poller.resume_token).wait()
        """
        transport = self._transport
        point = read_token(resume_token, kind="withdrawal", region=transport.region, host=transport.host)
        return self._poller(point.id, None)

    def _poller(self, uuid: str, last: Withdrawal | None) -> WithdrawalPoller:
        transport = self._transport
        return WithdrawalPoller(
            uuid, watcher=self.watcher, region=transport.region, host=transport.host, last=last
        )
