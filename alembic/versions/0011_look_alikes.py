"""Roll numbers that look alike are one: the keys of those that are not plain ASCII.

Where two students would come to have one key, both keep theirs and are named: the one with letters
that only look like the other's is found no longer, until somebody merges or corrects it.

Revision: 0011, after 0010
"""

import unicodedata
from collections import Counter
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—―−⁄∕⧸",
    "ABEKMHOPCTYXIJSABEZHIKMNOPTYX-------///",
)


def _key(roll_no: str) -> str:
    """As `app.schemas.words.roll_key` has it since this revision."""
    text = unicodedata.normalize("NFKC", roll_no)
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    folded = visible.upper().translate(_LOOK_ALIKES).casefold()
    return unicodedata.normalize("NFC", folded)


def _former_key(roll_no: str) -> str:
    folded = unicodedata.normalize("NFC", roll_no.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


def _rekey(key: Callable[[str], str]) -> list[str]:
    """Give students their keys; the ids of those whose key would be another's."""
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT id, roll_no, roll_key FROM students WHERE roll_no ~ '[^ -~]'")
    ).all()
    wanted = Counter(key(student.roll_no) for student in found)
    taken = connection.execute(
        sa.text("SELECT roll_key FROM students WHERE roll_key = ANY(:keys) AND NOT id = ANY(:ids)"),
        {"keys": list(wanted), "ids": [student.id for student in found]},
    ).scalars()
    wanted.update(taken)
    unclear = []
    for student in found:
        if wanted[key(student.roll_no)] > 1:
            unclear.append(str(student.id))
        elif key(student.roll_no) != student.roll_key:
            connection.execute(
                sa.text("UPDATE students SET roll_key = :key WHERE id = :id"),
                {"key": key(student.roll_no), "id": student.id},
            )
    return unclear


def upgrade() -> None:
    # What a migration prints may end up in logs, which name nobody: hence the id.
    for student_id in _rekey(_key):
        print(
            f"The roll number of student {student_id} looks like another student's. Nothing was"
            " changed: merge the two, or correct one (docs/deployment.md)."
        )


def downgrade() -> None:
    _rekey(_former_key)
