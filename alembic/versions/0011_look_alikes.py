"""Treat roll numbers that look alike as equal: new keys for those that are not plain ASCII.

If two students would get the same key, both keep their old ones and are reported: the one whose
letters only look like the other's can no longer be found until it is merged or corrected.

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
    """The key that `app.schemas.words.roll_key` computes since this revision."""
    text = unicodedata.normalize("NFKC", roll_no)
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    folded = visible.upper().translate(_LOOK_ALIKES).casefold()
    return unicodedata.normalize("NFC", folded)


def _former_key(roll_no: str) -> str:
    folded = unicodedata.normalize("NFC", roll_no.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


def _rekey(key: Callable[[str], str]) -> list[str]:
    """Update the keys of students; return the ids of those whose new key is already taken."""
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
    # A migration's output may end up in logs, which must not name people: hence the id.
    for student_id in _rekey(_key):
        print(
            f"The roll number of student {student_id} looks like another student's. Nothing was"
            " changed: merge the two, or correct one (docs/deployment.md)."
        )


def downgrade() -> None:
    _rekey(_former_key)
