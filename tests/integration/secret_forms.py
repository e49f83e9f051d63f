"""Secrets that existed in a story, and the forms in which a text may betray them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_SIX_DIGITS = re.compile(r"\d{6}")


def forms(secret: str | bytes) -> set[str]:
    """A secret as it is, in hexadecimal and in base64; of one that is itself base64url, what it stands for as well."""
    found: set[str] = set()
    raws = [secret.encode() if isinstance(secret, str) else secret]
    if isinstance(secret, str):
        found.add(secret)
        # What proves, of `r1.<id>.<generation>.<key>.<mac>`, `tfc_<id>_<secret>` and `header.payload.signature`.
        last = secret.split("_", 2)[2] if secret.startswith("tfc_") else secret.rpartition(".")[2]
        for part in {secret, last}:
            if len(part) >= 22 and len(part) % 4 != 1 and re.fullmatch(r"[A-Za-z0-9_-]+", part):
                found.add(part)
                raws.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if re.fullmatch(r"[0-9a-f]{32,}", secret):
            raws.append(bytes.fromhex(secret))
    for raw in raws:
        found.add(raw.hex())
        found.add(raw.hex().upper())
        for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
            found.add(encoded.decode().rstrip("="))
        if len(raw) == 20:
            found.add(base64.b32encode(raw).decode())
    return {form for form in found if len(form) >= 8}


@dataclass
class Secrets:
    """What was secret, by name."""

    kept: dict[str, str | bytes] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    def add(self, name: str, *values: str | bytes) -> None:
        """Remember secrets; six digits are looked for as a word of their own."""
        for number, value in enumerate(values):
            if isinstance(value, str) and _SIX_DIGITS.fullmatch(value):
                self.codes.add(value)
            elif value:
                self.kept[f"{name} {number}" if f"{name} {number}" not in self.kept else f"{name} {value!r}"] = value

    def add_backup_codes(self, codes: Iterable[str]) -> None:
        """Backup codes as they are printed, and as people type them."""
        for code in codes:
            self.add("backup code", code, code.lower(), code.replace("-", ""), code.replace("-", "").lower(), code[2:])

    def betrayed_in(self, text: str) -> list[str]:
        """The names of the secrets that a text has in any form."""
        found = [name for name, secret in self.kept.items() if any(form in text for form in forms(secret))]
        # As a word: no part of an id, a time or a number.
        found += [f"code {code}" for code in self.codes if re.search(rf"(?<![\w.:-]){code}(?![\w.:-])", text)]
        return found


def digests_in(dump: str) -> set[bytes]:
    """Every value in a dump that may be a digest: binary ones, and texts of 32 to 128 hexadecimal characters."""
    return {bytes.fromhex(text) for text in re.findall(r"(?<![0-9a-f])((?:[0-9a-f]{2}){16,64})(?![0-9a-f])", dump)}


def ids_in(dump: str) -> set[bytes]:
    """Every id in a dump, in its text and in its 16 bytes."""
    texts = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", dump))
    return {text.encode() for text in texts} | {bytes.fromhex(text.replace("-", "")) for text in texts}


def keyless(candidate: bytes, salts: Iterable[bytes] = (b"",)) -> Iterator[bytes]:
    """The digests of a candidate that anybody can compute, alone or with something that stands beside it."""
    for salt in salts:
        for name in ("md5", "sha1", "sha256", "sha512"):
            yield hashlib.new(name, salt + candidate).digest()
            if salt:
                yield hashlib.new(name, candidate + salt).digest()
                yield hmac.new(salt, candidate, name).digest()
