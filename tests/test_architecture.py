"""The rooms of the house and the doors between them."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

APP = Path("app")
FILES = sorted(APP.rglob("*.py"))

# What a room may import of `app`. A file of its own is a room; a folder is one.
MAY_IMPORT = {
    "database_url": set(),
    "config": {"database_url"},
    "errors": set(),
    "logs": set(),
    "metrics": {"logs"},
    "gunicorn_log": {"logs", "config"},
    "server": set(),
    "documents": set(),
    "heavy": {"errors"},
    "queries": {"errors", "schemas"},
    "strict_json": set(),
    "batch": {"schemas"},
    "reconciliation": {"batch"},
    "files": {"batch", "reconciliation", "schemas", "errors", "documents", "heavy"},
    "sql": set(),
    "pool": set(),
    "db": {"errors", "logs", "pool", "sql"},
    "models": set(),
    "schemas": set(),
    "services": {
        *("batch", "reconciliation", "schemas", "errors", "db", "sql", "documents", "config"),
    },
    "declared": {"heavy"},
    "dispatch": {"declared"},
    "auth": {"services", "schemas", "errors", "config", "db", "declared", "logs", "strict_json"},
    "problems": {"errors", "logs", "strict_json"},
    "request_limits": {"files"},
    "middleware": {"problems", "errors", "logs", "metrics", "request_limits"},
    "openapi": {"problems", "errors"},
    "documentation": {"openapi"},
    "importer": {"services", "schemas", "files", "errors", "config", "db", "logs"},
    "routes": {
        *("auth", "services", "schemas", "documents", "files", "problems", "errors", "config"),
        *("batch", "heavy", "queries", "request_limits"),
    },
    "web": {
        *("auth", "services", "schemas", "documents", "files", "problems", "errors", "config"),
        *("batch", "db", "declared", "heavy", "queries", "request_limits", "strict_json"),
    },
    "version": set(),
    "pg_programs": set(),
    "localpg": {"config", "pg_programs"},
    "demo": {"errors", "services", "schemas", "db", "sql", "documents", "localpg", "config"},
    "cli": {
        *("services", "auth", "demo", "localpg", "errors", "config", "db", "schemas"),
        *("files", "batch", "reconciliation", "logs", "metrics", "pg_programs", "version"),
    },
}
# The rooms of the services, those below first: each knows the ones before it.
SERVICES = (
    *(
        "access",
        "lists",
        "audit",
        "health",
        "backups",
        "people",
        "timetable",
        "sessions",
        "classes",
    ),
    *("students", "leave", "counting", "questions", "mine", "imports", "personal", "verifying"),
)
PURE = (
    *("sql", "batch", "reconciliation", "models", "schemas"),
    *("services", "documents", "files", "errors", "db", "queries", "heavy"),
)
SQL = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def room_of(path: Path) -> str:
    first = path.relative_to(APP).parts[0]
    return first.removesuffix(".py")


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """All parts of the file's code."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports_of(path: Path) -> set[str]:
    """Full names of all modules the file imports, inside functions too."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_a_room_imports_only_what_it_may() -> None:
    for path in FILES:
        room = room_of(path)
        if room not in ("main", "__init__"):
            targets = {name.split(".")[1] for name in imports_of(path) if name.startswith("app.")}
            assert targets - {room} <= MAY_IMPORT[room], path


def test_a_room_of_the_services_imports_only_from_those_below() -> None:
    for path in (APP / "services").rglob("*.py"):
        room = path.relative_to(APP / "services").parts[0].removesuffix(".py")
        if room != "__init__":
            below = SERVICES[: SERVICES.index(room)]
            prefix = "app.services."
            names = [name for name in imports_of(path) if name.startswith(prefix)]
            targets = {name.removeprefix(prefix).split(".")[0] for name in names}
            assert targets - {room} <= {*below}, path


def test_rules_and_data_know_no_web_framework() -> None:
    for path in FILES:
        if room_of(path) in PURE:
            roots = {name.partition(".")[0] for name in imports_of(path)}
            assert not roots & {"fastapi", "starlette", "uvicorn", "httpx2", "typer"}, path


def test_statements_live_in_services() -> None:
    """The demo's own are the exception: no other room may date marks back, or make them in sets."""
    exceptions = {APP / "demo" / "dating.py", APP / "demo" / "bench_data.py"}
    for path in FILES:
        if room_of(path) not in ("services", "models", "db", "sql") and path not in exceptions:
            constants = [node.value for node in nodes_of(path) if isinstance(node, ast.Constant)]
            texts = [value for value in constants if isinstance(value, str)]
            assert not [text for text in texts if SQL.match(text)], path


def test_there_are_no_import_cycles() -> None:
    graph = {module_of(path): internal_imports(path) for path in FILES}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        for target in graph.get(module, set()):
            visit(target, (*trail, module))

    for module in graph:
        visit(module, ())


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def internal_imports(path: Path) -> set[str]:
    packages = {module_of(file) for file in FILES if file.name == "__init__.py"}
    modules = {module_of(file) for file in FILES} - packages - {module_of(path)}
    return imports_of(path) & modules


def test_files_and_functions_can_be_read_in_one_sitting() -> None:
    for path in (*FILES, *Path("tests").glob("*.py")):
        assert path.read_text().count("\n") <= LONGEST_FILE, path
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno
                assert lines < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_a_server_does_not_load_migration_tools() -> None:
    """SQLAlchemy and Alembic would cost each process 30 MB, and each start half a second."""
    loaded = "import sys, app.main; print({'sqlalchemy', 'alembic'} & sys.modules.keys())"
    said = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"
