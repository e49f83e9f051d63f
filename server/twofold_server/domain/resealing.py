"""Sealing anew under the primary master key, while servers that hold both keys serve."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db import resealing
from twofold_server.db.pool import Pool
from twofold_server.domain.destinations import number_macs


async def reseal(pool: Pool, keyring: Keyring, told: Callable[[str, int], None]) -> int:
    """Seal under the primary key whatever stands under another, and return how many values that were.

    `told` gets each column's name and how many of it were sealed anew. May be run again, and beside itself.
    Afterwards no stored value needs the older keys but refresh and device tokens, which are replaced as they are
    used, within the life of a session. Raises KeyringError for a value under a key that is not held.
    """
    total = 0
    for table, column in resealing.COLUMNS:
        count, after = 0, ""
        while found := await resealing.batch(pool, table, column, after):
            for sealed in found:
                if keyring.needs_resealing(sealed.value):
                    # The slot alone names a backup code's place; the row's text has the account before it.
                    row = sealed.row[36:] if table == "backup_codes" else sealed.row
                    place = Place(table, column, sealed.realm_id, sealed.account, row)
                    text = keyring.open(sealed.value, place)
                    new = keyring.seal(text, place)
                    await resealing.replace(pool, table, column, sealed.row, old=sealed.value, new=new)
                    if table == "phone_numbers":
                        mac = number_macs(keyring, sealed.realm_id, text.decode())[0]
                        await db_phone_numbers.set_mac(pool, sealed.realm_id, UUID(sealed.row), new, mac)
                    count += 1
            after = found[-1].row
        told(f"{table}.{column}", count)
        total += count
    return total
