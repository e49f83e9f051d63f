"""The composition root: from settings to a server, the one place besides the command line that sees every floor."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog
import uvloop

from twofold_server import logs
from twofold_server.composition import Services, compose
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.crypto.passwords import HashParameters
from twofold_server.db.faults import is_unavailable
from twofold_server.db.migrate import MigrationFailed, pending
from twofold_server.db.pool import InsecureDatabase, Pool, open_pool
from twofold_server.domain.clock import Clock, system_clock
from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.credentials import Certificates
from twofold_server.rpc.health import Health, serve_reflection
from twofold_server.rpc.passage import Limits
from twofold_server.rpc.server import Listener, ListenFailed, Server, Tls, Transport
from twofold_server.settings import Settings, SettingsError

_log = structlog.get_logger("twofold.app")

_JOB_PAUSE_SECONDS: Final = 1.0
_CANCEL_AGAIN_SECONDS: Final = 0.2


class StartFailed(Exception):
    """The server can't start; the text says what to do."""


@dataclass(slots=True)
class App:
    """A server that is put together. `async with app.serving():` runs it; in tests, several may share a database."""

    settings: Settings
    clock: Clock
    pool: Pool
    engine: HashEngine
    services: Services
    boundary: Boundary
    health: Health
    server: Server
    ports: list[int] = field(default_factory=list)
    _jobs: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Listen, start what the clock calls, and serve. Raises ListenFailed."""
        await self.services.signing_keys.signing()
        await self.services.revocations.load()
        for listener in _listeners(self.settings):
            self.ports.append(self.server.listen(listener))
        for name, job in self.services.jobs.items():
            self._jobs.append(asyncio.create_task(_kept_running(name, job), name=name))
        await self.server.start()

    async def stop(self, drain_seconds: float | None = None) -> None:
        """Drain, stop, and let go of everything. A second time it does nothing."""
        await self.server.stop(self.settings.drain_seconds if drain_seconds is None else drain_seconds)
        await ended(self._jobs)
        self._jobs.clear()
        await self.close()

    async def close(self) -> None:
        """Let go of the database and the hashing threads, of an app that was not started."""
        await self.engine.close()
        try:
            async with asyncio.timeout(5):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[App]:
        """Serve for the length of the block."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop()


async def build(settings: Settings, *, clock: Clock = system_clock) -> App:
    """Put a server together: database, mechanisms, rules, calls. Every part reads the one clock.

    Raises StartFailed, SettingsError, InsecureDatabase, or what asyncpg and the system say of a database that is gone.
    """
    url = settings.database_url.get_secret_value()
    keyring = _keyring(settings)
    pool = await open_pool(url, settings.database_pool_size)
    engine: HashEngine | None = None
    try:
        await _demand_schema(url)
        engine = _engine(settings)
        services = compose(settings, pool, keyring, engine, clock)
        if not settings.development:
            await _demand_caller(services)
        boundary = Boundary(
            services.contract,
            callers=services.callers,
            sessions=services.sessions,
            tokens=services.tokens,
            realms=services.realms,
            approvers=services.approvers,
            clock=clock,
            limits=Limits(
                message_bytes=settings.message_size_limit,
                calls=settings.concurrent_calls_limit,
                calls_of_caller=settings.per_caller_calls_limit,
                default_deadline=settings.default_deadline,
                least_for_credential=settings.least_deadline,
            ),
            certificates=Certificates(settings.tls_client_name_prefixes) if settings.mtls_listen else None,
        )
        names = [service.full_name for service in services.contract]
        health = Health(names)
        health.register(boundary)
        if settings.reflection_served:
            serve_reflection(boundary, names)
        transport = Transport(
            connection_age=settings.max_connection_age,
            reuse_port=settings.reuse_port,
        )
        server = Server(boundary, health, transport)
        return App(settings, clock, pool, engine, services, boundary, health, server)
    except BaseException:
        if engine is not None:
            await engine.close()
        pool.terminate()
        raise


def run(settings: Settings, *, serving: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `serving` is called once calls are served.

    Raises SystemExit with one plain line where it can't start.
    """
    logs.configure(settings.log_level, for_person=settings.development and sys.stderr.isatty())
    try:
        uvloop.run(_serve_until_stopped(settings, serving))
    except (StartFailed, SettingsError, InsecureDatabase, MigrationFailed, ListenFailed, ValueError) as error:
        raise SystemExit(f"twofold-server: {error}") from None
    except Exception as error:
        if not is_unavailable(error):
            raise
        # The text of a connection error may hold the URL.
        raise SystemExit(f"twofold-server: the database cannot be reached ({type(error).__name__})") from None


async def _serve_until_stopped(settings: Settings, serving: Callable[[], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    app = await build(settings)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    async with app.serving():
        if settings.development:
            _log.warning(
                "development mode: loopback only, no TLS, calls without a credential may do nearly everything",
                listen=settings.listen,
            )
        _log.info("serving", ports=app.ports, services=[service.name for service in app.services.contract])
        if serving is not None:
            serving()
        await stopped.wait()
        _log.info("draining", under_way=app.boundary.under_way, seconds=settings.drain_seconds)
        # A second signal ends the program at once.
        for number in signals:
            loop.remove_signal_handler(number)
    _log.info("stopped")


async def ended(jobs: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended."""
    waiting = set(jobs)
    while waiting:
        for job in waiting:
            job.cancel()
        # Once is not enough: a cancellation that meets the end of what asyncio.wait_for waits for is lost before
        # Python 3.12, and asyncpg uses that; the job would run, and the server stop, for ever.
        _, waiting = await asyncio.wait(waiting, timeout=_CANCEL_AGAIN_SECONDS)


async def _kept_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await job()
        except Exception as error:  # noqa: BLE001 (a job that dies must not stay dead; the text may quote values)
            _log.error("job failed", job=name, error=f"{type(error).__module__}.{type(error).__qualname__}")
        else:
            return
        await asyncio.sleep(_JOB_PAUSE_SECONDS)


async def _demand_schema(url: str) -> None:
    if missing := await pending(url):
        raise StartFailed(f"the database's schema is behind ({', '.join(missing)}): run `twofold-server migrate`")


async def _demand_caller(services: Services) -> None:
    if all(caller.end_time is not None for caller in await services.callers.every()):
        raise StartFailed(
            "no service may call yet: make a caller with "
            "`twofold-server caller add NAME --realm default --role frontend --may-state-client`"
        )


def _engine(settings: Settings) -> HashEngine:
    return HashEngine(
        HashParameters(
            memory_kib=settings.argon2_memory_kib,
            time_cost=settings.argon2_time_cost,
            parallelism=settings.argon2_parallelism,
        ),
        slots_directory=settings.hash_slots_directory,
        queue_limit=settings.hash_queue_limit,
    )


def _keyring(settings: Settings) -> Keyring:
    key = settings.master_key_text()
    if key is not None:
        return Keyring.from_text(key.get_secret_value())
    # Development alone: the settings demand a key elsewhere.
    _log.warning("no master key: what this process seals can't be read after it; set TWOFOLD_MASTER_KEY_FILE")
    return Keyring.from_text(Keyring.generate())


def _listeners(settings: Settings) -> list[Listener]:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return [Listener(settings.listen)]
    try:
        key, chain = settings.tls_key_file.read_bytes(), settings.tls_certificate_file.read_bytes()
        listeners = [Listener(settings.listen, Tls(key, chain))]
        if settings.mtls_listen is not None and settings.tls_client_ca_file is not None:
            listeners.append(Listener(settings.mtls_listen, Tls(key, chain, settings.tls_client_ca_file.read_bytes())))
    except OSError as error:
        raise StartFailed(f"a file of the TLS settings cannot be read: {error.strerror}") from None
    return listeners
