"""What the ground floor returns, under the names by which the top floor packs it."""

from twofold_server.db.accounts import AccountRow
from twofold_server.db.devices import DeviceRow
from twofold_server.db.events import SignInRow
from twofold_server.db.factors import FactorRow
from twofold_server.db.ordering import RevocationRow
from twofold_server.db.sessions import SessionRow

__all__ = ["AccountRow", "DeviceRow", "FactorRow", "RevocationRow", "SessionRow", "SignInRow"]
