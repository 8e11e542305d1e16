"""Write docs/sql: every statement as it is sent to PostgreSQL, one file per package of the
services, and the views and functions that statements use, as the last migration defines them.

Each statement can be pasted into psql after `PREPARE name AS`, or run with `\\bind` and its
values. A changed relation shows up in the diff of every statement that is composed of it.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.sql import Statement  # noqa: E402

SERVICES = ROOT / "app" / "services"
MIGRATIONS = ROOT / "alembic" / "versions"
FOLDER = ROOT / "docs" / "sql"
_DEFINITION = re.compile(r"\s*CREATE (?:OR REPLACE )?(?:VIEW|FUNCTION|AGGREGATE|TYPE) ([\w.]+)")


def modules() -> Iterator[ModuleType]:
    """All modules of the services, by path."""
    for path in sorted(SERVICES.rglob("*.py")):
        if path.name != "__init__.py":
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield importlib.import_module(name)


def statements(module: ModuleType) -> Iterator[tuple[str, Statement]]:
    """The statements of a module with their names; those in a dictionary include the key."""
    for name, value in vars(module).items():
        if isinstance(value, Statement):
            yield name, value
        elif isinstance(value, dict) and name.isupper():
            yield from ((f"{name}[{key}]", v) for key, v in value.items() if type(v) is Statement)


def definitions() -> dict[str, str]:
    """The views and functions of the database by name, as the last migration defines each."""
    found: dict[str, str] = {}
    for path in sorted(MIGRATIONS.glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec
        assert spec.loader
        migration = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(migration)
        for name, value in vars(migration).items():
            made = _DEFINITION.match(value) if isinstance(value, str) else None
            if made and not name.startswith("FORMER"):
                found[made[1]] = f"-- {path.name}\n{value.strip()};\n"
    return found


def texts() -> dict[str, str]:
    """The content of each file in the folder, by file name."""
    found: dict[str, list[str]] = {}
    for module in modules():
        room = module.__name__.split(".")[2]
        for name, statement in statements(module):
            numbered = enumerate(statement.parameters, start=1)
            said = ", ".join(f"${n} {parameter}" for n, parameter in numbered)
            head = f"-- {module.__name__}.{name}" + (f"\n-- {said}" if said else "")
            found.setdefault(f"{room}.sql", []).append(f"{head}\n{statement.text};\n")
    found["definitions.sql"] = [text for _, text in sorted(definitions().items())]
    return {file: "\n".join(shown) for file, shown in found.items()}


if __name__ == "__main__":
    for old in FOLDER.glob("*.sql"):
        old.unlink()
    for file, text in texts().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
