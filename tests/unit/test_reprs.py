"""What a value shows of itself: a traceback or a log line may hold its repr."""

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import twofold_server
from tests.service import settings_for

_SECRET_FIELD = re.compile(
    r"(access|refresh|device|challenge|activation|enrollment|pairing)_token|token|.*password|.*binding|.*secret|digits|"
    r"seed|mac|credential|otpauth_url|qr_code_png|text_file|key|html|message|params"
)
_TEXT_IS_SECRET = frozenset({"Password", "NewPassword", "BackupCode", "StoredHash", "Rendered", "BackupCodes"})
_HARMLESS = frozenset({
    ("EmailAddress", "key"), ("PublishedKey", "key"), ("Proven", "token"), ("Failure", "message"),
})  # fmt: skip


def test_no_value_shows_its_secret() -> None:
    """Whatever dataclass of the server has a field of a secret's name, its repr leaves it out."""
    seen = 0
    for module in pkgutil.walk_packages(twofold_server.__path__, "twofold_server."):
        if module.name.endswith("__main__"):
            continue
        for name, found in vars(importlib.import_module(module.name)).items():
            if not (isinstance(found, type) and found.__module__ == module.name and dataclasses.is_dataclass(found)):
                continue
            for attribute in dataclasses.fields(found):
                secret = _SECRET_FIELD.fullmatch(attribute.name) or (
                    attribute.name in {"text", "codes"} and name in _TEXT_IS_SECRET
                )
                if not secret or (name, attribute.name) in _HARMLESS:
                    continue
                value = object.__new__(found)
                for other in dataclasses.fields(found):
                    object.__setattr__(value, other.name, "shown" if other is attribute else None)
                assert "shown" not in repr(value), f"{module.name}.{name}.{attribute.name}"
                seen += 1
    assert seen > 15


def test_settings_show_no_secret(tmp_path: Path) -> None:
    """Neither repr nor text nor JSON of the settings has the master key or the passwords of database and relay."""
    relay: dict[str, Any] = {
        "mail_directory": None, "smtp_host": "localhost", "smtp_password": "relayhorse", "mail_from": "a@example.org"
    }  # fmt: skip
    settings = settings_for("postgresql://postgres:dbhorse@localhost/x", tmp_path, **relay)
    key = settings.master_key_text()
    assert key is not None
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for secret in ("dbhorse", "relayhorse", key.get_secret_value()):
        assert secret not in shown
