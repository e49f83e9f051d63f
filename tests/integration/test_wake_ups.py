"""Phones that are woken: one row of the outbox each, which says nothing but whose phone it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from uuid import uuid4

from tests.integration.phones import ask, begin_pairing, challenge, finish_pairing, gateway
from tests.service import Service
from twofold import Approver
from twofold_server.db import outbox
from twofold_server.delivery.wake_ups import wake_up
from twofold_server.domain.approvals import Approvals
from twofold_server.domain.messages import Messages
from twofold_server.rpc.two_factor import TwoFactorServicer

TOKEN = "fcm:device-1"


def approvals_of(service: Service) -> Approvals:
    """The rules that the server's own calls use."""
    servicer = next(s for s in service.app.services.contract.values() if isinstance(s, TwoFactorServicer))
    return servicer._approvals


async def test_a_request_wakes_the_phones_that_gave_a_token(service: Service) -> None:
    """A row for the hook with the request, none for a phone without a token, none where the operator has no hook."""
    approvals = approvals_of(service)
    user = await service.signed_in_user()
    async with gateway(service) as client:
        for token in (TOKEN, ""):
            begun = await begin_pairing(service, user)
            await Approver.pair(client, begun.push.pairing_code, wake_up_token=token)
            await finish_pairing(service, user, begun)
    pool = service.app.pool
    await ask(service, await challenge(service, user))
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE kind = 'wake_up'") == 0

    approvals._wakes = True
    now = service.clock()
    # A lease of the test's own: the server's worker takes none of what follows.
    await pool.execute("ALTER TABLE outbox ALTER lease_until SET DEFAULT 'infinity'")
    await ask(service, await challenge(service, user))
    await pool.execute("UPDATE outbox SET lease_until = '-infinity' WHERE kind = 'wake_up'")
    claimed = await outbox.claim(pool, now=now, lease_until=now + timedelta(minutes=1), claim=uuid4(), limit=10)
    (message,) = [row for row in claimed if row.kind == "wake_up"]
    assert message.expire_time == now + timedelta(seconds=60)
    assert TOKEN.encode() not in message.payload
    call = wake_up(Messages(approvals._keyring, service.clock), message, b"key", now)
    assert json.loads(call.body) == {"wake_up_token": TOKEN}
    expected = hmac.new(
        b"key", f"{message.outbox_id}.{int(now.timestamp())}.".encode() + call.body, hashlib.sha256
    ).digest()
    assert call.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert call.headers["webhook-id"] == str(message.outbox_id)
