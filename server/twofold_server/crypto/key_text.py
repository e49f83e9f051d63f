"""How master keys are written down: `1:<key>,2*:<key>`, each key as hex or base64 of 32 bytes."""

import base64
import re
import secrets
from typing import Final

KEY_BYTES: Final = 32

_ENTRY: Final = re.compile(r"(?:(?P<id>[0-9]{1,4})(?P<primary>\*)?:)?(?P<key>\S*)", re.ASCII)
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{43}=?", re.ASCII)


def generate_key_text() -> str:
    """Write down a new master key, ready for `Keyring.from_text`."""
    return f"1:{secrets.token_hex(KEY_BYTES)}"


def parse_keys(text: str) -> tuple[dict[int, bytes], int]:
    """Read master keys and the primary id. Raises ValueError that tells what is wrong and never quotes a key."""
    entries = [entry.strip() for entry in text.strip().split(",")]
    keys: dict[int, bytes] = {}
    marked: list[int] = []
    for position, entry in enumerate(entries, start=1):
        found = _ENTRY.fullmatch(entry)
        if found is None or (found["id"] is None and len(entries) > 1):
            raise ValueError(f"entry {position} of the master key is not of the form <id>:<key>")
        key_id = int(found["id"] or "1")
        if not 1 <= key_id <= 255:
            raise ValueError(f"entry {position} of the master key has an id outside 1 to 255")
        if key_id in keys:
            raise ValueError(f"the master key names id {key_id} twice")
        keys[key_id] = _key(key_id, found["key"])
        if found["primary"]:
            marked.append(key_id)
    if len(marked) > 1:
        raise ValueError("the master key marks more than one id as primary")
    return keys, marked[0] if marked else max(keys)


def _key(key_id: int, text: str) -> bytes:
    if _HEX.fullmatch(text):
        key = bytes.fromhex(text)
    elif _BASE64.fullmatch(text):
        key = base64.urlsafe_b64decode(text.rstrip("=").translate(str.maketrans("+/", "-_")) + "=")
    else:
        raise ValueError(
            f"master key {key_id} is neither 64 hex digits nor 43 base64 characters ({KEY_BYTES} bytes); it has "
            f"{len(text)} characters"
        )
    # Placeholders from example files are the keys most often found in production.
    if len(set(key)) < 8:
        raise ValueError(f"master key {key_id} is not random; make one with `twofold-server keys generate`")
    return key
