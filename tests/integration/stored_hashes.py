"""Password hashes put into rows as an import would: sealed in their place, whatever they cost."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import bcrypt

from tests.integration.quick import Quick
from tests.service import User
from twofold_server.crypto.keyring import Keyring, Place


async def put_hash(
    service: Quick, db: asyncpg.Connection[asyncpg.Record], user: User, stored: bytes, scheme: str
) -> None:
    """Give an account this hash and this scheme."""
    account_id = UUID(user.account_id)
    key = service.app.settings.master_key_text()
    assert key is not None
    place = Place("password_credentials", "hash", "default", str(account_id), str(account_id))
    sealed = Keyring.from_text(key.get_secret_value()).seal(stored, place)
    await db.execute(
        "UPDATE password_credentials SET hash = $2, scheme = $3 WHERE account_id = $1", account_id, sealed, scheme
    )


def bcrypt_hash(password: str, cost: int) -> bytes:
    """A hash as another system may have made it."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost))
