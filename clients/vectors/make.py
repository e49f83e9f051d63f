"""Writes the vectors, beside it or into a folder: `python clients/vectors/make.py [FOLDER]`. Needs `cryptography`."""  # noqa: INP001

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from forgeries import bad_claims, bad_headers, bad_shapes
from signing import AUDIENCE, CLAIMS, HEADER, ISSUER, KEY, NOW, ORDER, REALM, SECOND, b64, part, token, without
from stream import stream_vectors


def good() -> list[dict[str, Any]]:
    """Tokens that count."""
    signed = f"{part(HEADER)}.{part(CLAIMS)}"
    raw = KEY.raw(signed)
    high_s = raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    plain = {**without("second_factor_time"), "amr": ["pwd"], "aal": 1}
    header = '{"alg":"ES256","typ":"at+jwt","kid":"key-1"}'
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "a good token": (token(), CLAIMS),
        "signed by the second key": (token({**HEADER, "kid": SECOND.kid}, signer=SECOND), CLAIMS),
        "a password alone": (token(payload=plain), plain),
        "an unknown claim": (token(payload={**CLAIMS, "org": {"id": 7}}), CLAIMS),
        "header and claims in another order, with white space": (
            token('{ "kid": "key-1", "typ": "at+jwt", "alg": "ES256" }', json.dumps(dict(reversed(CLAIMS.items())))),
            CLAIMS,
        ),
        "nbf now": (token(payload={**CLAIMS, "nbf": NOW}), CLAIMS),
        "issued 30 s ahead of this clock": (token(payload={**CLAIMS, "iat": NOW + 30}), {**CLAIMS, "iat": NOW + 30}),
        "in its last second": (token(payload={**CLAIMS, "exp": NOW + 1}), {**CLAIMS, "exp": NOW + 1}),
        "the other of the two signatures that ECDSA allows: n - s": (f"{signed}.{b64(high_s)}", CLAIMS),
        "a client_id beyond ASCII": (token(payload={**CLAIMS, "client_id": "wéb"}), {**CLAIMS, "client_id": "wéb"}),
        "text and a name by escapes": (
            token(payload=json.dumps(CLAIMS).replace('"aud": "b', r'"\u0061ud": "\u0062')),
            CLAIMS,
        ),
        "a surrogate pair by escapes": (
            token(payload=json.dumps({**CLAIMS, "client_id": "\U0001f600"})),
            {**CLAIMS, "client_id": "\U0001f600"},
        ),
        "the kid by an escape": (token(header.replace("-", r"\u002d")), CLAIMS),
        "a header of 256 characters": (token(header.ljust(192)), CLAIMS),
        "epoch of minus zero": (
            token(payload=json.dumps({**CLAIMS, "epoch": 0}).replace('"epoch": 0', '"epoch": -0')),
            {**CLAIMS, "epoch": 0},
        ),
        "unknown claims of huge numbers": (
            token(payload=json.dumps(CLAIMS)[:-1] + f',"note":[1e999,-1E-999,{"9" * 400}]}}'),
            CLAIMS,
        ),
        "an unknown claim nested 31 deep": (
            token(payload=json.dumps(CLAIMS)[:-1] + ',"note":' + "[" * 31 + "]" * 31 + "}"),
            CLAIMS,
        ),
    }
    found: list[dict[str, Any]] = [
        {"name": name, "token": text, "expect": "ok", "claims": claims} for name, (text, claims) in cases.items()
    ]
    late = {**CLAIMS, "exp": NOW - 29}
    found.append(
        {"name": "expired, within the leeway", "token": token(payload=late), "leeway_seconds": 30, "expect": "ok"}
        | {"claims": late}
    )
    return found


def expired() -> list[dict[str, Any]]:
    """Tokens that have but expired."""
    cases = {
        "expired this second": ({"exp": NOW}, 0),
        "expired an hour ago": ({"exp": NOW - 3600, "iat": NOW - 3900}, 0),
        "expired, and the leeway is over": ({"exp": NOW - 30}, 30),
    }
    return [
        {"name": name, "token": token(payload=CLAIMS | change), "expect": "SESSION_EXPIRED"}
        | ({"leeway_seconds": leeway} if leeway else {})
        for name, (change, leeway) in cases.items()
    ]


def access_token_vectors() -> dict[str, Any]:
    """The contents of access_tokens.json."""
    invalid = bad_headers() | bad_claims() | bad_shapes()
    cases = good() + expired() + [{"name": n, "token": t, "expect": "SESSION_INVALID"} for n, t in invalid.items()]
    return {
        "realm_id": REALM,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "now": NOW,
        "keys": [KEY.jwk, SECOND.jwk],
        "cases": cases,
    }


def revocation_vectors() -> dict[str, Any]:
    """The contents of revocations.json."""

    def spell(subject: str, session: str, epoch: int, kid: str) -> str:
        change = {"sub": subject, "sid": session, "epoch": epoch, "jti": session, "exp": NOW + 3600}
        return token(HEADER | {"kid": kid}, CLAIMS | change, KEY if kid == KEY.kid else SECOND)

    tokens, steps = stream_vectors(NOW, REALM)
    return {
        "realm_id": REALM,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "now": NOW,
        "keys": [KEY.jwk, SECOND.jwk],
        "tokens": {name: spell(*of) for name, of in tokens.items()},
        "steps": steps,
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, value in {"access_tokens": access_token_vectors(), "revocations": revocation_vectors()}.items():
        # Escaped, one value a line: differences are easy to read, and no editor changes a character.
        folder.joinpath(f"{name}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="ascii")
