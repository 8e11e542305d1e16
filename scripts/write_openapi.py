"""Write docs/openapi.json, the OpenAPI document, for people who generate clients from it."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.main import openapi_document  # noqa: E402

FILE = ROOT / "docs" / "openapi.json"


def text() -> str:
    """The content of the file."""
    return json.dumps(openapi_document(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
