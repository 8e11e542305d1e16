"""What the pages name is there, and what they list is complete."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app import errors, problems
from app.cli import commands
from app.config import OidcProvider, Settings
from app.errors import AppError, Invalid
from app.files.sheets import cells
from app.metrics import Metrics
from app.services.imports import report
from tests.processes import ROOT
from tests.test_config import FOR_COMPOSE

PAGES = [
    str(path.relative_to(ROOT))
    for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
]
SOURCES = [path for path in sorted((ROOT / "app").rglob("*.py")) if path.name != "openapi.py"]

# Names in capitals that are settings of other programs, or of a page's own shell and requests.
OTHERS = {
    *("FORWARDED_ALLOW_IPS", "BACKEND_PASSWORD", "PGPASSWORD"),
    *("ID_TOKEN", "API", "GOOGLE", "JWT", "CLASS", "SESSION", "TZ"),
}
# What only commands are refused with, who show the sentence and no code.
IN_COMMANDS = {
    *((422, "invalid_name"), (422, "invalid_email"), (422, "account_not_allowed")),
    *((409, "conflict"), (409, "no_single_admin")),
    *((422, code) for code in ("invalid_json", "incomplete_export", "no_classes")),
    *((422, "backup_refused"), (422, "erasures_refused")),
    *((422, "invalid_mapping"), (409, "class_of_another"), (409, "class_repeated")),
}
# Refusals of the framework: their codes are looked up, with one for all statuses we don't name.
BY_FRAMEWORK = {*problems._CODES.items(), ("other", "refused")}


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def without_python(text: str) -> str:
    return re.sub(r"^ *```python\n.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names by which headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pictures_are_small_and_each_is_shown_and_described() -> None:
    pictures = {*(ROOT / "docs" / "pictures").iterdir()}
    shown = set()
    for page in PAGES:
        text = text_of(page)
        named = re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^\]]+\]\(([^)]+)\)', text)
        shown |= {(ROOT / page).parent / (tag or link) for tag, link in named}
        assert text.count("<img ") == len(re.findall(r'<img [^>]*alt="[^"]+"', text)), page
    assert shown == pictures
    assert sum(picture.stat().st_size for picture in pictures) <= 200 * 1024


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_names_exists(page: str) -> None:
    rooms = (
        r"(?:app|tests|docs|deploy|scripts|alembic|clients|bench|initdb|\.ci|services)/[\w./-]*\w"
    )
    kinds = r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|sql|toml|ini|yml|json|lua|ts|sh|in|txt|service)\b"
    for name in re.findall(rf"(?<![\w./-])({kinds}|{rooms})", text_of(page)):
        found = (ROOT / name, ROOT / "app" / name, (ROOT / page).parent / name)
        assert any(path.exists() for path in found), name
    for name in re.findall(r"`(\w+\.py)`", text_of(page)):
        assert any(ROOT.glob(f"[!.]*/**/{name}")), name
    for name in re.findall(r"-m ((?:app|bench|tests)\b[\w.]*)", text_of(page)):
        assert find_spec(name.rstrip(".")), name


@cache
def functions_in(file: Path) -> set[str]:
    """The names of the functions of a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in nodes if isinstance(node, kinds)}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_a_page_names_exists(page: str) -> None:
    known = set().union(*map(functions_in, (ROOT / "tests").glob("*.py")))
    for name in re.findall(r"\btest_\w+\b(?!\.py)", without_python(text_of(page))):
        assert name in known, name


def test_no_comment_refers_to_a_section_outside_the_repository() -> None:
    for path in (*ROOT.glob("app/**/*.py"), *ROOT.glob("tests/*.py"), *ROOT.glob("*/*.sql")):
        for line in path.read_text().splitlines():
            assert "RFC" in line or not re.search(r"\bsection [0-9]", line), (path, line)


def test_every_promise_is_proved_by_tests_that_exist() -> None:
    rows = [line for line in text_of("docs/trust.md").splitlines() if line.startswith("| ")][1:]
    for row in rows:
        proof = re.sub(r"\([^)]*\)", "", row.split(" | ")[2].rstrip("| "))
        named = re.findall(r"`(?:tests/)?(\w+\.py)`(?:: ([^`]*))?", proof)
        assert named, row
        for file, words in named:
            known = functions_in(ROOT / "tests" / file)
            for phrase in words.strip("; ").split("; ") if words else ():
                name = re.sub(r"\W+", "_", phrase.strip().lower().replace("'", ""))
                assert any(test.startswith(f"test_{name}") for test in known), (file, phrase)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_a_page_names_exists(page: str) -> None:
    text = re.sub(r"\$\{?[A-Z_]+", "", without_python(text_of(page)))
    named = re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z][A-Z_]+(?==)", text)
    ours = {name.upper() for name in Settings.model_fields}
    # Those of a provider carry its name: `OIDC_<NAME>_ISSUER` here, `OIDC_GOOGLE_ISSUER` there.
    ours |= {f"OIDC_GOOGLE_{name.upper()}" for name in OidcProvider.model_fields}
    assert {name.removesuffix("_FILE") for name in named} <= ours | FOR_COMPOSE | OTHERS | {"NAME"}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_a_page_names_exists(page: str) -> None:
    text = text_of(page).replace("\\\n", " ")
    for line in re.findall(r"(?:\./aims|app\.cli|`aims) ([a-z][^\n`|#]*)", text):
        words = line.split()
        command: Any = get_command(commands)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0).strip(".,;:)")]
            if not words:
                break
        parameters = [
            option for known in command.params for option in (*known.opts, *known.secondary_opts)
        ]
        options = {word for word in words if word.startswith("--")}
        assert options <= {*parameters, "--help"}, line


def constants(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the application, by the name of what is called."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                yield ast.unparse(node.func), node


def worded() -> set[str]:
    """Codes that a service decides in SQL, and words in a table named for it."""
    found: set[str] = set()
    for path in (ROOT / "app" / "services").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                names = {target.id for target in node.targets if isinstance(target, ast.Name)}
                if names & {"_REFUSALS", "SENTENCES"}:
                    found |= {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    return found


def of_rows() -> set[str]:
    """Codes of rows of a file."""
    return set(cells._OF_ROWS) | set(report._OF_ROWS)


def refusals() -> set[tuple[object, str]]:
    """Status and code of everything the code raises."""
    found: set[tuple[object, str]] = {(Invalid.status, code) for code in worded()}
    for name, call in calls():
        if name == "refused_query":
            found |= {(Invalid.status, code) for code in constants(call.args[1])}
        name, _, method = name.partition(".")
        kind = getattr(errors, name, None)
        if not (isinstance(kind, type) and issubclass(kind, AppError)):
            continue
        given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        codes = constants(given[0]) if given else {kind.code}
        codes = constants(call.args[1]) if method == "at" else codes
        found |= {(kind.status, code) for code in codes if (kind, code) != (AppError, "refused")}
    return found | BY_FRAMEWORK


def places() -> set[str]:
    """Codes of places in `errors`."""
    found: set[str] = set()
    for name, call in calls():
        if name in ("Flaw", "Invalid.at", "Conflict.at"):
            found |= constants(call.args[1])
        if name in ("PydanticCustomError", "refused_query", "_refused"):
            found |= constants(call.args[1 if name == "refused_query" else 0])
    found = {problems._FLAW_CODES.get(code, code) for code in found}
    found |= worded() | of_rows() | {*problems._FLAW_CODES.values()}
    return found | problems._FLAW_SENTENCES.keys()


def table(mark: str) -> list[list[str]]:
    """The cells of the table that follows the mark in the page for app developers."""
    after = text_of("docs/for-app-developers.md").partition(f"<!-- {mark}")[2].partition("\n|")[2]
    rows = after.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_developers_page_says_what_to_do_about_every_code() -> None:
    said = {
        (int(status) if status.isdigit() else status, code)
        for status, codes, _ in table("codes")
        for code in re.findall(r"`(\w+)`", codes)
    }
    assert said == refusals() - IN_COMMANDS


def test_the_developers_page_explains_every_code_of_a_place() -> None:
    assert {code for codes, _ in table("places") for code in re.findall(r"`(\w+)`", codes)} == (
        places()
    )


def test_the_sign_in_page_explains_every_refusal_of_a_sign_in() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text_of("docs/sign-in.md"), re.MULTILINE)
    assert {(int(status), code) for status, code in rows} <= refusals()
    sources = [*(ROOT / "app" / "auth").glob("*.py"), ROOT / "app/services/people/accounts.py"]
    raised = set(re.findall(r'code="(\w+)"', "".join(path.read_text() for path in sources)))
    assert raised - {"malformed_json"} <= {code for _, code in rows}


def test_the_administrators_page_names_real_figures_and_acts() -> None:
    page = text_of("docs/administration.md")
    metrics = Metrics()
    metrics._requests.labels("GET", "-", "200").inc()
    metrics._seconds.labels("GET", "-").observe(1)
    metrics._refusals.labels("not_found").inc()
    known = set(re.findall(r"\baims_\w+", metrics.text().decode()))
    assert set(re.findall(r"\baims_\w+", page)) <= known
    acts = page.partition("The actions are ")[2].partition(". ")[0]
    services = "".join(path.read_text() for path in (ROOT / "app" / "services").rglob("*.py"))
    for act in re.findall(r"`(\w+)`", acts):
        assert f"'{act}'" in services


@pytest.mark.parametrize(
    ("file", "heading"),
    [("requirements.in", "## The server"), ("requirements-dev.in", "## Development")],
)
def test_every_dependency_says_what_it_is_for(file: str, heading: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    wanted = {re.split(r"[\[;]", line)[0] for line in lines if line[:1].isalpha()}
    chapter = text_of("docs/dependencies.md").partition(heading)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \| (.+) \|$", chapter, re.MULTILINE)
    assert {name for name, _, _ in rows} == wanted
