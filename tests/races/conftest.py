"""What the races of statements use: connections to one database, emptied before each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from dev.postgres import Server
from twofold_server.db.pool import Pool, open_pool

_DATABASE = "test_races"


@pytest.fixture(scope="session")
async def pool_of_races(cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record]) -> AsyncIterator[Pool]:
    """Thirty connections, so that statements really meet; kept, as planning those statements takes most of a test."""
    await cluster_admin.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template_twofold STRATEGY FILE_COPY")
    opened = await open_pool(cluster.dsn(_DATABASE), 30)
    yield opened
    await opened.close()


@pytest.fixture
async def pool(pool_of_races: Pool) -> Pool:
    """The connections, to a database in which nothing happened yet."""
    await pool_of_races.execute(
        """
        TRUNCATE accounts, password_credentials, factors, factor_budgets, backup_codes, unknown_identifiers,
                 network_failures, phone_numbers, devices, sessions, tickets, resend_waits, outbox, events, revocations,
                 approvers, approver_proofs, approval_limits, sms_counts, captchas_spent, resources, cases
        """
    )
    return pool_of_races
