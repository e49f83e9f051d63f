"""The file sender, for development and tests: each mail a file."""

import asyncio
import os
from datetime import UTC
from pathlib import Path

from twofold_server.delivery.mail import Mail, TemporaryFailure


class FileSender:
    """Writes each mail to `<time>-<template>-<outbox id>.eml` in a directory, mode 0600, whole or not at all.

    The time is when the message was caused, in UTC, so that names sort; sent again, a mail gets the same name.
    """

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, mail: Mail) -> None:
        """Write the mail. Raises TemporaryFailure where it can't be written."""
        try:
            await asyncio.to_thread(self._write, mail)
        except OSError as error:
            raise TemporaryFailure(f"file: {type(error).__name__}") from None

    def _write(self, mail: Mail) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        time = mail.create_time.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._directory / f"{time}-{mail.template}-{mail.outbox_id}.eml"
        # Another name per writer: two that send the same mail never write into one file.
        partial = self._directory / f".{mail.outbox_id}-{os.getpid()}-{os.urandom(4).hex()}.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(mail.message))
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
