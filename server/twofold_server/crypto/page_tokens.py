"""Page tokens: where a list goes on, readable only by the list that gave it."""

import hmac

from twofold_server.crypto import base64url
from twofold_server.crypto.keyring import Keyring, UnknownKey

_MAC_BYTES = 16
_MAX_CHARACTERS = 512


def format_page_token(keyring: Keyring, scope: str, cursor: bytes) -> str:
    """Return an opaque token for `cursor` that counts in `scope` alone (method, realm, account, filter)."""
    mac = keyring.page_mac(keyring.primary, scope, cursor)[:_MAC_BYTES]
    return base64url.encode(bytes((keyring.primary,)) + mac + cursor)


def parse_page_token(keyring: Keyring, scope: str, text: str) -> bytes | None:
    """Return the cursor; None if the token was altered, is of another scope, or longer than 512 characters."""
    raw = base64url.decode(text) if len(text) <= _MAX_CHARACTERS else None
    if raw is None or len(raw) <= _MAC_BYTES:
        return None
    key_id, mac, cursor = raw[0], raw[1 : _MAC_BYTES + 1], raw[_MAC_BYTES + 1 :]
    try:
        expected = keyring.page_mac(key_id, scope, cursor)[:_MAC_BYTES]
    except UnknownKey:
        return None
    return cursor if hmac.compare_digest(mac, expected) else None
