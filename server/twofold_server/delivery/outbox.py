"""The outbox's worker: claims messages by lease, sends them, and settles them; at least once, in practice once."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, get_args

import structlog
from uuid_utils.compat import uuid7

from twofold_server.db import faults, outbox
from twofold_server.db.outbox import Channel, Claimed
from twofold_server.db.pool import Connection
from twofold_server.delivery.failover import FailOver
from twofold_server.delivery.letters import Letters, NotWorthSending
from twofold_server.delivery.mail import Mail, PermanentFailure, TemporaryFailure
from twofold_server.delivery.sms import Sms
from twofold_server.delivery.wake_ups import WakeUp
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Refusal
from twofold_server.domain.messages import budget_of
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import RealmId

_LEASE: Final = timedelta(seconds=60)
# Within the lease, so that whoever holds a claim has let go of it before another may take it.
_SEND_SECONDS: Final = 45.0
_BUDGET_WINDOW: Final = timedelta(hours=1)
_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(hours=1)
# A wake-up is worth a minute in all.
_FIRST_HOOK_WAIT: Final = timedelta(seconds=2)
_LONGEST_HOOK_WAIT: Final = timedelta(seconds=10)
# About two days at the longest wait: a relay that is down over a weekend's day loses no notice.
_MAXIMUM_ATTEMPTS: Final = 60
_LAST_CHANCE: Final = timedelta(seconds=30)
_LEAST_WAIT: Final = timedelta(seconds=5)
_POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 1.0
_DRAIN_SECONDS: Final = 5.0
_CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
_random: Final = secrets.SystemRandom()
_log = structlog.get_logger("twofold.outbox")


class OutboxWorker:
    """Sends what waits in the outbox. Any number of workers, in any number of processes, share one database's messages.

    A message is claimed for 60 s, in a statement of its own; a worker that dies leaves it to the others after that. A
    message goes out twice only where its sender died, or lost the database until the lease's end, after the provider's
    yes. Each channel has places of its own, so that a slow SMS gateway keeps no mail waiting.
    """

    def __init__(
        self,
        db: Connection,
        *,
        letters: Letters,
        realms: Callable[[RealmId], Awaitable[Realm]],
        mail: FailOver[Mail],
        sms: FailOver[Sms],
        hook: FailOver[WakeUp],
        clock: Clock,
        concurrency: int = 8,
    ) -> None:
        """`realms` finds a realm by its id; `concurrency` is how many messages of a channel are under way at a time."""
        self._db = db
        self._letters = letters
        self._realms = realms
        self._mail = mail
        self._sms = sms
        self._hook = hook
        self._clock = clock
        self._concurrency = concurrency
        self._awake = asyncio.Event()
        self._judging = asyncio.Lock()
        self._under_way: Counter[tuple[str, bytes, str]] = Counter()
        self._down: set[Channel] = set()
        self.outcomes: Counter[str] = Counter()
        """How many messages ended how since the start (`sent`, `retry`, `expired`, ...), for metrics."""

    def wake(self) -> None:
        """Look at once; to be called from the event loop after a message was written. Never needed, only quicker."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled; what is under way then has 5 s to finish. No fault of mail or database ends it."""
        tasks: dict[Channel, set[asyncio.Task[None]]] = {channel: set() for channel in _CHANNELS}
        idle, broken = _POLL_SECONDS, False
        try:
            while True:
                self._awake.clear()
                try:
                    claimed = [
                        message
                        for channel, under_way in tasks.items()
                        for message in await self._claim(channel, self._concurrency - len(under_way))
                    ]
                except Exception as error:  # noqa: BLE001 - logged; whatever it is, the worker outlives it
                    if not broken:
                        _log.warning("outbox_stalled", error=type(error).__name__, sqlstate=faults.sqlstate(error))
                    broken, claimed = True, []
                else:
                    if broken:
                        _log.info("outbox_resumed")
                    broken = False
                for message in claimed:
                    task = asyncio.create_task(self._handle(message))
                    tasks[message.channel].add(task)
                    task.add_done_callback(tasks[message.channel].discard)
                    task.add_done_callback(lambda _: self.wake())
                idle = _POLL_SECONDS if claimed else min(idle * 1.5, _IDLE_SECONDS)
                if broken:
                    await asyncio.sleep(_IDLE_SECONDS)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(idle):
                        await self._awake.wait()
        finally:
            if under_way := set[asyncio.Task[None]]().union(*tasks.values()):
                _, late = await asyncio.wait(under_way, timeout=_DRAIN_SECONDS)
                for task in late:
                    task.cancel()

    async def run_once(self) -> int:
        """Claim what is due, as much as may be under way at a time, see it through, and say how many there were."""
        claimed = [message for channel in _CHANNELS for message in await self._claim(channel, self._concurrency)]
        await asyncio.gather(*(self._handle(message) for message in claimed))
        return len(claimed)

    async def _claim(self, channel: Channel, limit: int) -> list[Claimed]:
        if limit <= 0:
            return []
        now = self._clock()
        return await outbox.claim(
            self._db, now=now, lease_until=now + _LEASE, claim=uuid7(), limit=limit, channel=channel
        )

    async def _handle(self, message: Claimed) -> None:
        held: list[tuple[str, bytes, str]] = []
        try:
            outcome, settle = await self._attempt(message, held)
            await self._settle(message, outcome, settle)
        except Exception as error:  # noqa: BLE001 - the lease ends, and the message is tried again
            _log.error("outbox_unsettled", outbox_id=str(message.outbox_id), error=type(error).__name__)
        finally:
            self._under_way.subtract(held)
            self._under_way += Counter()

    async def _attempt(
        self, message: Claimed, held: list[tuple[str, bytes, str]]
    ) -> tuple[str, Callable[[], Awaitable[bool]]]:
        """Try once; name the outcome and the statement that settles it. Text of a failure never leaves here."""
        now = self._clock()
        if message.expire_time <= now:
            return self._ended(message, "expired", "too late")
        if message.attempts > _MAXIMUM_ATTEMPTS:
            return self._ended(message, "dead", "too many attempts", Refusal.FAILED)
        try:
            realm = await self._realms(RealmId(message.realm_id))
            provider = await self._hand_over(message, realm, held)
        except NotWorthSending as error:
            return self._ended(message, error.state, error.reason, error.refusal)
        except PermanentFailure as error:
            return self._ended(message, "dead", error.reason, error.refusal)
        except TemporaryFailure as error:
            if error.down:
                self._down.add(message.channel)
            return self._failed(message, error.reason, error.retry_after or 0.0, error.provider)
        except Exception as error:  # noqa: BLE001 - a sender's or template's fault costs this attempt, not the worker
            return self._failed(message, type(error).__name__, 0.0, message.provider)
        return "sent", lambda: outbox.mark_sent(self._db, message, provider, self._clock())

    async def _hand_over(self, message: Claimed, realm: Realm, held: list[tuple[str, bytes, str]]) -> str:
        if message.channel == "sms":
            # Its budget was judged by the statement that wrote it: money is not spent by workers that look away.
            text = await self._letters.write_sms(message, realm)
            async with asyncio.timeout(_SEND_SECONDS):
                return await self._sms.send(text, message.provider)
        if message.channel == "hook":
            wake_up = await self._letters.write_wake_up(message)
            async with asyncio.timeout(_SEND_SECONDS):
                return await self._hook.send(wake_up, message.provider)
        mail = await self._letters.write(message, realm)
        if not await self._within_budget(message, realm.settings.mails_per_address_per_hour, held):
            raise NotWorthSending("over_budget", "too many to this address within the hour", Refusal.OVER_BUDGET)
        async with asyncio.timeout(_SEND_SECONDS):
            return await self._mail.send(mail, message.provider)

    def _ended(
        self, message: Claimed, state: outbox.End, reason: str, refusal: Refusal | None = None
    ) -> tuple[str, Callable[[], Awaitable[bool]]]:
        return state, lambda: outbox.end(self._db, message, state, reason, self._clock(), refusal)

    def _failed(
        self, message: Claimed, reason: str, least_seconds: float, provider: str | None
    ) -> tuple[str, Callable[[], Awaitable[bool]]]:
        if message.attempts >= _MAXIMUM_ATTEMPTS:
            return self._ended(message, "dead", reason, Refusal.FAILED)
        now, asked = self._clock(), timedelta(seconds=least_seconds)
        due_time = now + max(retry_wait(message.attempts, message.channel), asked)
        if due_time >= message.expire_time:
            # Where that comes too late, once more just before the end: a code is worth a last attempt.
            due_time = message.expire_time - _LAST_CHANCE
            if due_time <= now + max(_LEAST_WAIT, asked):
                return self._ended(message, "expired", reason)
        return f"retry: {reason}", lambda: outbox.retry_later(self._db, message, reason, due_time, provider)

    async def _within_budget(self, message: Claimed, limit: int, held: list[tuple[str, bytes, str]]) -> bool:
        # A notice is never held back: a stranger could use the budget up, and then take the account unseen.
        kinds = [kind.value for kind in budget_of(message.kind)]
        if not kinds:
            return True
        address = (message.realm_id, message.address_mac, kinds[0])
        # One at a time, and with those under way: a burst would otherwise be judged by a count from before it.
        # Workers of other processes may each let one more through.
        async with self._judging:
            since = self._clock() - _BUDGET_WINDOW
            sent = await outbox.sent_count(self._db, message.realm_id, message.address_mac, kinds, since)
            if sent + self._under_way[address] >= limit:
                return False
            self._under_way[address] += 1
            held.append(address)
            return True

    async def _settle(self, message: Claimed, outcome: str, settle: Callable[[], Awaitable[bool]]) -> None:
        """Write the outcome down, however long the database is away: no other worker can claim meanwhile either."""
        wait = _POLL_SECONDS
        kept: bool | None = None
        while kept is None:
            try:
                kept = await settle()
            except Exception as error:
                if not (faults.is_unavailable(error) or faults.is_conflict(error)):
                    raise
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
        if outcome == "sent" and message.channel in self._down:
            await self._resume(message.channel)
        name, _, reason = outcome.partition(": ")
        if not kept:
            name = "claim_lost"
        self.outcomes[name] += 1
        level = _log.warning if name in {"dead", "retry", "claim_lost"} else _log.info
        level("outbox_message", outbox_id=str(message.outbox_id), kind=message.kind, outcome=name, reason=reason)

    async def _resume(self, channel: Channel) -> None:
        """After an outage nothing waits out its own time: all that failed meanwhile is due, the most urgent first."""
        self._down.discard(channel)
        with contextlib.suppress(Exception):
            # Only quicker: without it each message has its turn when its wait ends.
            await outbox.bring_forward(self._db, channel)
        self.wake()


def retry_wait(attempts: int, channel: Channel = "email") -> timedelta:
    """Return how long to wait after `attempts` failures: 15 s, doubling up to an hour, less up to half by chance.

    For the hook 2 s, doubling up to 10 s.

    The chance keeps the messages of an outage from coming back all at once.
    """
    hook = channel == "hook"
    first, longest = (_FIRST_HOOK_WAIT, _LONGEST_HOOK_WAIT) if hook else (_FIRST_WAIT, _LONGEST_WAIT)
    wait = min(first * (1 << min(attempts - 1, 16)), longest)
    return wait * _random.uniform(0.5, 1)
