"""Statements: how they are composed, that they are readable, and that docs/sql shows them all."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from app.services import access
from app.sql import Statement
from scripts.write_sql import FOLDER, definitions, modules, statements, texts
from tests.test_migrations import ask

LONGEST = 120
NEARLY_ALL = 80  # 95 % are shorter
MOST_FILES = 3

ALL = {
    f"{module.__name__}.{name}": statement
    for module in modules()
    for name, statement in statements(module)
}


def length(statement: Statement) -> int:
    return len([line for line in statement.text.splitlines() if line.strip()])


@cache
def homes() -> dict[str, str]:
    """Each shared SQL text with the module that contains it."""
    found: dict[str, str] = {}
    for module in modules():
        written = {node.value for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)}
        for name in names_written_in(module):
            for text in texts_of(getattr(module, name, None)):
                # The SQL of access rights is composed; all else appears literally in its module.
                if text in written or module is access:
                    found[text] = module.__name__
    return found


def tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text())


def names_written_in(module: ModuleType) -> Iterator[str]:
    for node in tree(module).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for target in targets for part in ast.walk(target)]
            yield from (part.id for part in parts if isinstance(part, ast.Name))


def texts_of(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for part in value for text in texts_of(part)]
    return [value] if isinstance(value, str) else []


def test_parameters_are_numbered_in_their_order() -> None:
    statement = Statement("a AS (SELECT :day::date AS day)", "SELECT :id, '09:00', :day FROM a")
    assert statement.text == "WITH a AS (SELECT $1::date AS day)\nSELECT $2, '09:00', $1 FROM a"
    assert statement.arguments({"id": 7, "day": "today"}) == ["today", 7]


@pytest.mark.parametrize("values", [{}, {"id": 1, "other": 2}])
def test_a_missing_or_unknown_parameter_is_an_error(values: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="parameters"):
        Statement("SELECT :id").arguments(values)


def test_a_relation_shared_by_two_groups_appears_once() -> None:
    statement = Statement(("a AS (SELECT 1)", ("b AS (SELECT 2)",)), ("a AS (SELECT 1)",), "SELECT")
    assert statement.text == "WITH a AS (SELECT 1),\nb AS (SELECT 2)\nSELECT"


def test_docs_sql_shows_every_statement_as_it_is_sent() -> None:
    shown = {file.name: file.read_text() for file in FOLDER.glob("*.sql")}
    assert shown == texts(), "docs/sql is out of date. Run .venv/bin/python scripts/write_sql.py"


DEFINED = """
SELECT viewname FROM pg_views WHERE schemaname IN ('public', 'as_of')
UNION SELECT proname FROM pg_proc
WHERE pronamespace IN ('public'::regnamespace, 'as_of'::regnamespace)
UNION SELECT relname FROM pg_class WHERE relkind = 'c' AND relnamespace = 'public'::regnamespace
"""


def test_docs_sql_shows_every_view_and_function(own_database_url: str) -> None:
    shown = {name.removeprefix("as_of.") for name in definitions()}
    assert shown == set(ask(own_database_url, DEFINED))


def test_statements_are_short_enough_to_read_in_one_go() -> None:
    lengths = {name: length(statement) for name, statement in ALL.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
    ordered = sorted(lengths.values())
    assert ordered[int(len(ordered) * 0.95)] < NEARLY_ALL


def test_a_statement_comes_from_few_files() -> None:
    for name, statement in ALL.items():
        home = name.rpartition(".")[0]
        files = {homes().get(part, home) for part in statement.parts} | {home}
        assert len(files) <= MOST_FILES, f"{name}: {sorted(files)}"


def test_relations_are_composed_in_one_way() -> None:
    """Nothing smaller than a relation is put into SQL, except access rights within `access`."""
    for module in modules():
        calls = (node for node in ast.walk(tree(module)) if isinstance(node, ast.Call))
        for call in calls:
            if getattr(call.func, "id", "") == "Statement" and module is not access:
                pieces = [part for part in ast.walk(call) if isinstance(part, ast.FormattedValue)]
                assert not pieces, f"{module.__name__}, line {call.lineno}"
