"""Importing an export as Meera does, and what Asha sees of it."""

from collections import Counter
from datetime import date
from typing import Any

from app.files.firestore.batches import SOURCE, Options, parts_of
from app.files.firestore.contents import Records
from app.reconciliation import Outcome
from app.services.imports import sources
from app.services.imports.conditions import Conditions
from tests.classroom import today
from tests.conftest import Stage
from tests.firestore_exports import Export, attendance, class_, everybody, read, written

FIRST, SECOND = date(2025, 8, 4), date(2025, 8, 6)
MOVE = {
    "originalDate": "2025-08-11",
    "rescheduledDate": "2025-08-12",
    "rescheduledStartTime": "15:00",
    "rescheduledEndTime": "16:00",
    "reason": "A fest.",
}


def export(**more: Any) -> Export:
    """Asha's class with two sessions; somebody who has left has a mark in the first."""
    there = {**everybody("Present"), "23/CS/109": "Absent"}
    return {
        "classes": {"d1": class_(reschedules=[MOVE], **more)},
        "attendance": {
            "d1_2025-08-04": attendance("d1", FIRST, there, processedImagePath="/data/1.jpg"),
            "d1_2025-08-06": attendance("d1", SECOND, {"23/CS/101": "Late", "23/CS/102": "OD"}),
        },
    }


async def run(stage: Stage, content: Export | Records, **options: Any) -> Outcome:
    """Import it as Meera does; the totals have to agree."""
    records = content if isinstance(content, Records) else read(written(content))
    dry_run, outcome = options.pop("dry_run", False), Outcome(left_out=list(records.left_out))
    database, admin = stage.app.state.database, stage.meera.user_id
    assert admin
    parts = parts_of(records, Options(**options))
    conditions = Conditions(today(), trust_numbers=True, source=SOURCE)
    await sources.run(database, admin, parts, conditions, outcome, dry_run=dry_run)
    assert outcome.agrees
    return outcome


def codes(outcome: Outcome) -> Counter[str]:
    """How much was left out, by the reason."""
    counts: Counter[str] = Counter()
    for item in outcome.left_out:
        counts[item.code] += item.count
    return counts


async def the_class(stage: Stage) -> dict[str, Any]:
    """Asha's only one."""
    (found,) = (await stage.asha.get("/classes")).json()
    return found


async def sessions(stage: Stage, class_id: str) -> list[dict[str, Any]]:
    """Its sessions, the first day's first."""
    answer = await stage.asha.get("/attendance/sessions", params={"classId": class_id})
    return answer.json()[::-1]


def statuses(session: dict[str, Any]) -> dict[str, str]:
    return {mark["rollNo"]: mark["status"] for mark in session["statuses"]}
