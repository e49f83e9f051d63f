"""Tickets: what every link, code and pending step has in common."""

from __future__ import annotations

from uuid import UUID

from twofold_server.crypto.keyring import Place


def payload_place(realm_id: str, account_id: UUID | None, ticket_id: UUID) -> Place:
    """Where a ticket's payload is sealed for; `account_id` None where the ticket is of no account."""
    return Place("tickets", "payload", realm_id, str(account_id or ""), str(ticket_id))
