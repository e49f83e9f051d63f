"""How settings reach the processes of a server with several workers: not by argv, environment or file."""

from __future__ import annotations

import json
import os
import sys
from typing import Final, NoReturn

from pydantic import SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from twofold_server.settings import Settings, SettingsError, split_address

# A pipe holds 64 KiB, and nobody reads it yet when it is written.
_LIMIT_BYTES: Final = 60_000


def become_supervisor(settings: Settings) -> NoReturn:
    """Turn this process into the parent of `settings.workers` workers; its number stays. Raises SettingsError.

    A fresh program, because the parent needs a tenth of the memory that the command line has loaded.
    """
    if settings.master_key_text() is None:
        raise SettingsError("several workers need one master key: set TWOFOLD_MASTER_KEY_FILE")
    text = pack(settings)
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    os.set_inheritable(reading, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "twofold_server.supervisor", str(reading)])  # noqa: S606


def pack(settings: Settings) -> bytes:
    """The settings, secrets in clear, for a process that must not load what reads them. Raises SettingsError.

    `{"settings": {name: value}, "listen": {name of the setting: [host, port]}}` as JSON.
    """
    listeners = {"listen": settings.listen, "mtls_listen": settings.mtls_listen}
    given = {
        "settings": settings.model_dump(mode="python"),
        "listen": {name: split_address(address) for name, address in listeners.items() if address is not None},
    }
    packed = json.dumps(given, default=_plain).encode()
    if len(packed) > _LIMIT_BYTES:
        raise SettingsError("the settings are too long for several workers")
    return packed


def unpack(packed: bytes) -> Settings:
    """The settings that a supervisor hands over. Raises SettingsError where they no longer hold, as files may."""
    try:
        return Settings(**json.loads(packed)["settings"])
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ") for fault in error.errors())
        raise SettingsError("\n".join(faults)) from None


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else to_jsonable_python(value)
