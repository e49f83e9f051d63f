"""The rules of the house that no import checker sees."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import twofold_server
from dev.environment import ROOT

PACKAGE = Path(twofold_server.__file__).parent
# Two words that only stand together in a statement, upper case as the house writes it.
SQL = re.compile(
    r"\bSELECT\b[\s\S]+\bFROM\b|\bINSERT INTO\b|\bUPDATE\s+\w+\s+SET\b|\bDELETE FROM\b|\bCREATE (?:TABLE|INDEX)\b"
    r"|\b(?:ALTER|DROP|LOCK|TRUNCATE) TABLE\b|\bFOR (?:NO KEY )?UPDATE\b"
)
FORBIDDEN_SQL = re.compile(
    r"\bCREATE (?:OR REPLACE )?(?:CONSTRAINT )?(?:TRIGGER|PROCEDURE|RULE)\b|\b(?:NOTIFY|LISTEN)\s+\w+|\bpg_notify\b"
    r"|\bpg_(?:try_)?advisory|\bDEFERRABLE\b|\bplpgsql\b",
    re.IGNORECASE,
)


def _modules(folder: Path = PACKAGE) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.py")) if "__pycache__" not in file.parts]


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String constants with their lines, the fixed parts of f-strings joined; docstrings apart."""
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else " x " for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.lineno, node.value


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _found(file: Path, lines: Iterator[int]) -> list[str]:
    return [f"{file.relative_to(PACKAGE)}:{line}" for line in lines]


@pytest.mark.parametrize("text", ["SELECT a FROM b", "UPDATE t SET a = 1", "DELETE FROM t", "INSERT INTO t VALUES (1)"])
def test_the_search_for_sql_finds_sql(text: str) -> None:
    """The pattern of the next test is not blind."""
    assert [line for line, found in _strings(ast.parse(f"x = {text!r}")) if SQL.search(found)] == [1]


def test_sql_stands_in_db_alone() -> None:
    """No string outside db/ holds a statement."""
    hits = [
        hit
        for file in _modules()
        if file.relative_to(PACKAGE).parts[0] != "db"
        for hit in _found(file, (line for line, text in _strings(ast.parse(file.read_text())) if SQL.search(text)))
    ]
    assert hits == []


def test_generated_messages_are_imported_in_rpc_alone() -> None:
    """`*_pb2` and `*_pb2_grpc` are known to rpc/ only."""
    hits = [
        hit
        for file in _modules()
        if file.relative_to(PACKAGE).parts[0] != "rpc"
        for hit in _found(
            file,
            (
                line
                for line, name in _imports(ast.parse(file.read_text()))
                if re.search(r"_pb2(?:_grpc)?(?:\.|$)", name) or name.startswith("twofold.v1")
            ),
        )
    ]
    assert hits == []


def test_no_statement_is_put_together_from_values() -> None:
    """SQL in db/ is literal: no f-string, no `%`, no format."""
    hits = []
    for file in _modules(PACKAGE / "db"):
        for node in ast.walk(ast.parse(file.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call) else ""
            built = isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant)
            )
            if built and SQL.search(text):
                hits.append(f"{file.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}")
    assert hits == []


def test_the_database_runs_no_code_of_ours() -> None:
    """No trigger, PL/pgSQL, NOTIFY, LISTEN, advisory lock or deferrable constraint, in migrations or statements."""
    hits = [
        file.name
        for file in sorted((PACKAGE / "db" / "migrations").glob("*.sql"))
        if FORBIDDEN_SQL.search(re.sub(r"--.*", "", file.read_text()))
    ]
    hits += [
        hit
        for file in _modules(PACKAGE / "db")
        for hit in _found(
            file, (line for line, text in _strings(ast.parse(file.read_text())) if FORBIDDEN_SQL.search(text))
        )
    ]
    assert hits == []


def test_files_stay_small() -> None:
    """A file of more than 600 lines has two subjects; most stay under 300."""
    places = (PACKAGE, ROOT / "dev", ROOT / "clients" / "python" / "twofold")
    sizes = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for place in places
        for file in _modules(place)
        if "v1" not in file.parts
    }
    assert {name: size for name, size in sizes.items() if size > 600} == {}


def test_the_project_speaks_of_itself_only() -> None:
    """No lock file names the host of a package index, and no requirement is a URL or a local path."""
    for file in sorted((ROOT / "requirements").iterdir()):
        assert not re.search(r"https?://|file:|--(?:extra-)?index-url|--find-links", file.read_text()), file.name
