"""`twofold-server settings`: every setting of the server."""

from pydantic_core import PydanticUndefined
from rich.console import Console
from rich.table import Table

from twofold_server.settings import PREFIX, Settings


def print_settings() -> None:
    """Print each variable with its default and what it does. Reads no setting."""
    table = Table("variable", "default", "")
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined or field.default is None else field.default
        table.add_row(PREFIX + name.upper(), _shown(default), field.description)
    Console(width=None if Console().is_terminal else 160).print(table)


def _shown(default: object) -> str:
    match default:
        case bool():
            return "true" if default else "false"
        case tuple() | dict():
            return ""
        case _:
            return str(default)
