"""When a verifier tries again, and what is said of its failures."""

from __future__ import annotations

import logging
import random
from typing import Final

from twofold.errors import (
    DeadlineExceeded,
    InternalError,
    ResourceExhausted,
    TwofoldError,
    Unavailable,
)

_log = logging.getLogger("twofold")
_random = random.SystemRandom()

_FIRST_SECONDS: Final = 0.1
# Well below the silence that a verifier bears.
_LONGEST_SECONDS: Final = 2.0
_PASSING: Final = (Unavailable, DeadlineExceeded, InternalError, ResourceExhausted)


class Tries:
    """The tries to do one thing: how long to wait before the next, and the last failure."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failed = 0
        self.error: Exception | None = None
        """Why the last one failed; None once one has succeeded."""

    def succeeded(self) -> None:
        """Forget what failed before."""
        if self._failed > 1:
            _log.info("%s: well again", self._what)
        self._failed, self.error = 0, None

    def failed(self, error: Exception) -> float:
        """Note a failure; give the seconds to wait: none where a server only asked to be left, else with jitter."""
        self._failed += 1
        self.error = error
        if self._failed == 1 and isinstance(error, TwofoldError) and error.reason == "SERVER_DRAINING":
            _log.debug("%s: the server is stopping", self._what)
            return 0.0
        longest = min(_FIRST_SECONDS * 2.0 ** min(self._failed - 1, 8), _LONGEST_SECONDS)
        asked = (error.retry_after or 0.0) if isinstance(error, TwofoldError) else 0.0
        # Where all verifiers lost the same server, they must not come back all at once.
        pause: float = max(longest, min(asked, _LONGEST_SECONDS)) * _random.uniform(0.5, 1.0)
        # The first of a row is nothing unusual: connections end by age.
        level = logging.WARNING if self._failed == 2 else logging.DEBUG
        _log.log(level, "%s: %s; again in %.2f s", self._what, error, pause)
        return pause

    @property
    def refusal(self) -> Exception | None:
        """The last failure, if it is one that waiting does not mend."""
        lasting = isinstance(self.error, ValueError | TwofoldError) and not isinstance(self.error, _PASSING)
        return self.error if lasting else None
