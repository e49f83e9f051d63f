"""Tokens that must be refused."""  # noqa: INP001

from __future__ import annotations

import hmac
import json
from typing import Any

from signing import AUDIENCE, CLAIMS, FOREIGN, HEADER, ISSUER, KEY, NOW, ORDER, SECOND, b64, part, token, without


def bad_headers() -> dict[str, str]:
    """Tokens whose header is not exactly alg, typ and kid as they must be."""
    signed = f"{part({**HEADER, 'alg': 'HS256'})}.{part(CLAIMS)}"
    secrets = {"SubjectPublicKeyInfo": KEY.spki(), "JWK": json.dumps(KEY.jwk, separators=(",", ":")).encode()}
    macs = {name: b64(hmac.digest(secret, signed.encode(), "sha256")) for name, secret in secrets.items()}
    cases = {f"HS256 with the public key as its secret ({name})": f"{signed}.{mac}" for name, mac in macs.items()}
    cases["alg none, unsigned"] = f"{part({**HEADER, 'alg': 'none'})}.{part(CLAIMS)}."
    changes: dict[str, dict[str, Any]] = {
        "alg none, signed all the same": {"alg": "none"},
        "alg None": {"alg": "None"},
        "alg es256": {"alg": "es256"},
        "alg ES384": {"alg": "ES384"},
        "alg as a list": {"alg": ["ES256"]},
        "typ JWT": {"typ": "JWT"},
        "typ application/at+jwt": {"typ": "application/at+jwt"},
        "kid that is not in the set": {"kid": "key-3"},
        "kid as a path": {"kid": "../../../dev/null"},
        "kid as a number": {"kid": 1},
        "kid null": {"kid": None},
        "jku": {"jku": "https://evil.example/jwks.json"},
        "x5u": {"x5u": "https://evil.example/cert.pem"},
        "x5c": {"x5c": ["AA=="]},
        "crit": {"crit": ["exp"]},
        "b64 false": {"b64": False},
        "zip": {"zip": "DEF"},
    }
    cases |= {name: token(HEADER | change) for name, change in changes.items()}
    cases["jwk, and signed by it"] = token(HEADER | {"jwk": FOREIGN.jwk}, signer=FOREIGN)
    cases["a foreign key under its own kid"] = token(HEADER | {"kid": FOREIGN.kid}, signer=FOREIGN)
    cases["a foreign key under a known kid"] = token(signer=FOREIGN)
    cases["the second key under the first one's kid"] = token(signer=SECOND)
    cases["no typ"] = token({"alg": "ES256", "kid": KEY.kid})
    cases["no kid"] = token({"alg": "ES256", "typ": "at+jwt"})
    cases["a header of nothing"] = token({})
    cases["a header that is a list"] = token([HEADER])
    cases["a header nested 120 deep"] = token("[" * 120)
    cases["a header with alg twice, none first"] = token('{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"key-1"}')
    cases["a header that is not UTF-8"] = token(b'{"alg":"ES256","typ":"at+jwt","kid":"key-1\xff"}')
    cases["a header with text after it"] = token('{"alg":"ES256","typ":"at+jwt","kid":"key-1"} x')
    cases["a header of 258 characters"] = token('{"alg":"ES256","typ":"at+jwt","kid":"key-1"}'.ljust(193))
    cases["half of a surrogate pair in the kid"] = token(r'{"alg":"ES256","typ":"at+jwt","kid":"key-1\udcff"}')
    cases["alg with a zero byte after it"] = token(r'{"alg":"ES256\u0000","typ":"at+jwt","kid":"key-1"}')
    cases["a header with alg twice, once by an escape"] = token(
        r'{"\u0061lg":"none","alg":"ES256","typ":"at+jwt","kid":"key-1"}'
    )
    cases["a header with a byte order mark"] = token('\ufeff{"alg":"ES256","typ":"at+jwt","kid":"key-1"}')
    return cases


def bad_claims() -> dict[str, str]:
    """Tokens that the key signed, with claims that must not be taken."""
    changes: dict[str, dict[str, Any]] = {
        "another realm's issuer": {"iss": "https://auth.example.com/other"},
        "the issuer with a slash more": {"iss": ISSUER + "/"},
        "the issuer as a list": {"iss": [ISSUER]},
        "another audience": {"aud": "shipping"},
        "aud as a list": {"aud": [AUDIENCE]},
        "aud empty": {"aud": ""},
        "another audience, and expired": {"aud": "shipping", "exp": NOW - 1},
        "nbf in the future": {"nbf": NOW + 60},
        "nbf null": {"nbf": None},
        "issued 31 s ahead of this clock": {"iat": NOW + 31},
        "exp as text": {"exp": str(NOW + 240)},
        "exp as a fraction": {"exp": NOW + 240.5},
        "exp true": {"exp": True},
        "exp null": {"exp": None},
        "exp beyond every calendar": {"exp": 10**30},
        "exp below zero": {"exp": -1},
        "aal 3": {"aal": 3},
        "aal true": {"aal": True},
        "amr as text": {"amr": "pwd"},
        "amr of numbers": {"amr": [1]},
        "amr of 17": {"amr": ["pwd"] * 17},
        "epoch as text": {"epoch": "4"},
        "epoch below zero": {"epoch": -1},
        "epoch of 2^31": {"epoch": 2**31},
        "sub in capitals": {"sub": CLAIMS["sub"].upper()},
        "sub in braces": {"sub": "{" + CLAIMS["sub"] + "}"},
        "sub as a URN": {"sub": "urn:uuid:" + CLAIMS["sub"]},
        "sub with a line break": {"sub": CLAIMS["sub"] + "\n"},
        "sid as a number": {"sid": 12},
        "client_id empty": {"client_id": ""},
        "second_factor_time null": {"second_factor_time": None},
    }
    cases = {name: token(payload=CLAIMS | change) for name, change in changes.items()}
    cases |= {f"without {name}": token(payload=without(name)) for name in CLAIMS if name != "second_factor_time"}
    text = json.dumps(CLAIMS, separators=(",", ":"))
    cases["a claim twice, alike"] = token(payload=text[:-1] + ',"aud":"billing"}')
    cases["a claim twice, one good"] = token(payload='{"aud":"shipping",' + text[1:])
    cases["claims nested 1,200 deep"] = token(payload="[" * 1200)
    cases["claims nested 500 deep as objects"] = token(payload='{"a":' * 500)
    # What lenient readers take, and readers differ about.
    exp, client = f'"exp":{NOW + 240}', '"client_id":"web"'
    spellings = {
        "an unknown claim nested 32 deep": (text[-1:], ',"note":' + "[" * 32 + "]" * 32 + "}"),
        "half of a surrogate pair in client_id": (client, r'"client_id":"w\ud800b"'),
        "the halves of a surrogate pair changed about": (client, r'"client_id":"\ude00\ud83d"'),
        "half of a surrogate pair in an unknown claim": (text[-1:], r',"note":"\udfff"}'),
        "half of a surrogate pair in a name": (text[-1:], r',"\ud800":1}'),
        "a surrogate pair as two characters of UTF-8": (client, b'"client_id":"\xed\xa0\xbd\xed\xb8\x80"'),
        "a name twice, once by an escape": (text[-1:], r',"\u0061ud":"billing"}'),
        "an unknown claim with a name twice within": (text[-1:], ',"note":{"a":1,"a":1}}'),
        "exp with a fraction of zero": (exp, exp + ".0"),
        "exp with an exponent": (exp, exp + "e0"),
        "exp with a zero in front": (exp, f'"exp":0{NOW + 240}'),
        "exp with a plus in front": (exp, f'"exp":+{NOW + 240}'),
        "exp in digits beyond ASCII": (
            exp,
            '"exp":' + str(NOW + 240).translate({48 + i: 0x0660 + i for i in range(10)}),
        ),
        "a comma at the end": (text[-1:], ",}"),
        "a comma at the end of amr": ('"amr":[', '"amr":["pwd",],"note":['),
        "a name without quotes": ('"exp"', "exp"),
        "a comment": ('"exp"', '/**/"exp"'),
        "a tab within text": (client, '"client_id":"w\tb"'),
        "an escape that JSON has not": (client, r'"client_id":"w\x62"'),
        "an escape of three digits": (client, r'"client_id":"w\u062"'),
        "an escape of a sign and digits": (client, r'"client_id":"w\u+062"'),
        "a space that JSON has not": (text[-1:], "\u00a0}"),
        "a form feed between": (text[-1:], "\f}"),
        "a zero byte at the end of the claims": (text[-1:], "}\0"),
    }
    for name, (old, new) in spellings.items():
        altered = new if isinstance(new, bytes) else new.encode()
        cases[name] = token(payload=altered.join(text.encode().rsplit(old.encode(), 1)))
    cases["exp NaN"] = token(payload=text.replace(f'"exp":{NOW + 240}', '"exp":NaN'))
    cases["claims that are a list"] = token(payload=[CLAIMS])
    cases["claims that are not UTF-8"] = token(payload=text.encode().replace(b'"web"', b'"w\xffb"'))
    cases["claims in UTF-16"] = token(payload=text.encode("utf-16"))
    cases["claims cut off"] = token(payload=text[:-1])
    cases["no claims"] = token(payload="")
    cases["over 4,096 characters"] = token(payload={**CLAIMS, "note": "x" * 4000})
    return cases


def bad_shapes() -> dict[str, str]:
    """Copies of a good token, altered."""
    whole = token()
    header, payload, signature = whole.split(".")
    signed = f"{header}.{payload}"
    raw = KEY.raw(signed)
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    stray = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last | 1]
    signatures = {
        "r and s changed places": raw[32:] + raw[:32],
        "a signature with one bit changed": flipped,
        "a signature in DER": KEY.der(signed),
        "a signature of 63 bytes": raw[:63],
        "a signature of 65 bytes": raw + b"\0",
        "r and s with a zero byte in front of each": b"\0" + raw[:32] + b"\0" + raw[32:],
        "a signature of zeros": bytes(64),
        "a signature of the curve's order": ORDER.to_bytes(32, "big") * 2,
        "s beyond the order": raw[:32] + b"\xff" * 32,
        "a signature of another token": KEY.raw(f"{header}.{part({**CLAIMS, 'epoch': 5})}"),
    }
    cases = {name: f"{signed}.{b64(value)}" for name, value in signatures.items()}
    return cases | {
        "claims altered": f"{header}.{part({**CLAIMS, 'epoch': 9})}.{signature}",
        "header altered": f"{part({**HEADER, 'kid': SECOND.kid})}.{payload}.{signature}",
        "padding at the end": f"{whole}==",
        "padding in the claims": f"{header}.{payload}=.{signature}",
        "padding in the header": f"{header}=.{payload}.{signature}",
        "stray bits in the last character": f"{signed}.{signature[:-1]}{stray}",
        "the other base64 alphabet": f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}"
        if set(signature) & set("-_")
        else f"{header}.{payload}.+{signature[1:]}",
        "a character more": f"{whole}A",
        "a line break at the end": f"{whole}\n",
        "a space in front": f" {whole}",
        "a space within": f"{header}.{payload[:40]} {payload[40:]}.{signature}",
        "a zero byte at the end": f"{whole}\0",
        "a character beyond ASCII": f"{header}.{payload}\u00e9.{signature}",
        "Bearer in front": f"Bearer {whole}",
        "a segment more": f"{whole}.{signature}",
        "a dot more": f"{whole}.",
        "five segments, as in JWE": f"{header}.AA.AA.{payload}.{signature}",
        "no signature": f"{signed}.",
        "two segments": signed,
        "empty claims": f"{header}..{signature}",
        "empty header": f".{payload}.{signature}",
        "nothing": "",
        "dots": "..",
        "5,000 dots": "." * 5000,
        "5,000 characters": "A" * 5000,
        "JSON serialization (RFC 7515 section 7.2)": json.dumps(
            {"protected": header, "payload": payload, "signature": signature}
        ),
    }
