"""Several providers of one channel, tried in order, and never two of them for one message that may have been taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Refusal

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

# A provider that is down costs its timeout once in this time, not once for each message.
_REST: Final = timedelta(seconds=30)


class Sends(Protocol[M_contra]):
    """Takes messages of a kind to people."""

    async def send(self, message: M_contra, /) -> None:
        """Hand the message over. Raises DeliveryError."""


@dataclass(frozen=True, slots=True)
class Provider(Generic[M]):
    """A sender by its name, which is kept with a message that it may have."""

    name: str
    sender: Sends[M]


class FailOver(Generic[M]):
    """Hands each message to the first provider that takes it."""

    def __init__(self, providers: Sequence[Provider[M]], clock: Clock) -> None:
        """`providers` in the order in which they are tried; names differ. None: nothing of this channel is sent."""
        self._providers = tuple(providers)
        self._clock = clock
        self._resting: dict[str, datetime] = {}

    @property
    def configured(self) -> bool:
        """Whether there is any provider."""
        return bool(self._providers)

    async def send(self, message: M, only: str | None = None) -> str:
        """Hand the message over, and name who took it. `only`: who may have it already, from an attempt before.

        After a transient failure the next one is tried, but never after one that leaves open whether the message was
        taken: that one is named in the TemporaryFailure's `provider`, to be shown as `only` the next time.
        Raises DeliveryError: the last transient failure, or the first of another kind.
        """
        if not self._providers:
            raise PermanentFailure("no provider of this channel", Refusal.CHANNEL_NOT_CONFIGURED)
        if only is not None:
            return await self._to_holder(message, only)
        failure = TemporaryFailure("no provider")
        for provider in self._in_order():
            try:
                await provider.sender.send(message)
            except TemporaryFailure as error:
                error.provider = provider.name if error.uncertain else None
                if error.down:
                    self._resting[provider.name] = self._clock() + _REST
                if error.uncertain:
                    raise
                failure = error
            else:
                self._resting.pop(provider.name, None)
                return provider.name
        raise failure

    async def _to_holder(self, message: M, name: str) -> str:
        provider = next((provider for provider in self._providers if provider.name == name), None)
        if provider is None:
            # Nobody can say whether it was sent; by another it could be sent twice.
            raise PermanentFailure("the provider that may have it is no longer set", Refusal.FAILED)
        try:
            await provider.sender.send(message)
        except TemporaryFailure as error:
            # Of the attempt before it may still have it, whatever this one was answered.
            error.provider = name
            raise
        return name

    def _in_order(self) -> list[Provider[M]]:
        now = self._clock()
        return sorted(self._providers, key=lambda provider: self._resting.get(provider.name, now) > now)
