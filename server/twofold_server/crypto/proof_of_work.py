"""The built-in CAPTCHA: a proof of work by the protocol of ALTCHA (PoW v2), signed, so that issuing one writes nothing.

PBKDF2 is what browsers do natively, so that whoever solves many has little advantage over one who solves one. The
library is loaded on first use.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_ALGORITHM: Final = "PBKDF2/SHA-256"
# Two hex digits of zero: 256 derivations on average.
_PREFIX: Final = "00"


@dataclass(frozen=True, slots=True)
class Solved:
    """A challenge that was solved: `identity` (32 bytes) is the same however it is spelt, `expire` in Unix seconds."""

    identity: bytes = field(repr=False)
    expire: int


def new_challenge(secret: bytes, cost: int, expire: int) -> str:
    """Make a challenge, the JSON that the widget takes: 256 derivations of `cost` iterations on average.

    `expire` in Unix seconds.
    """
    import altcha  # noqa: PLC0415

    # The end stands in what is signed, where the library does not look: it would judge by the machine's own clock.
    made = altcha.create_challenge(
        _ALGORITHM, cost, key_prefix=_PREFIX, data={"expire": expire}, hmac_secret=secret
    ).to_dict()
    # For the widget, which asks for another in time; it is not signed, and not believed when it comes back.
    made["parameters"]["expiresAt"] = expire
    return json.dumps(made, separators=(",", ":"))


def solved(text: str, secrets: Sequence[bytes]) -> Solved | None:
    """Read what the widget sent back; None unless it solves a challenge that was signed with one of the secrets.

    Whether it has expired, or came before, is the caller's to judge. Derives one key, and only behind a right
    signature: blocks for as long as that takes, with the GIL released.
    """
    import altcha  # noqa: PLC0415

    try:
        payload = altcha.Payload.from_base64(text)
        parameters = payload.challenge.parameters
        parameters.expires_at = None
        for secret in secrets:
            result = altcha.verify_solution(payload, secret)
            if result.verified:
                break
            if not result.invalid_signature:
                return None
        else:
            return None
        identity = hashlib.sha256(str(payload.challenge.signature).encode()).digest()
        return Solved(identity, int((parameters.data or {})["expire"]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        # Numbers may be spelt so that the signature holds, and yet be of a kind that the derivation does not take.
        return None
