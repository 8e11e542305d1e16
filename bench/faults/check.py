"""Reads from the database what became of each write, and what was left open."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.cli.suite import without_settings
from app.db import POOL_SIZE
from bench.faults.actors import DAYS, FIRST_DAY, SESSIONS, STUDENTS, Write
from bench.faults.world import WORKERS, World

# For each kind of write, those of which there is anything, by key, and whether all of it is there.
_FOUND = {
    "marks": f"""
        SELECT remark AS key, count(*) = {STUDENTS}
               AND count(DISTINCT (session_id, version, status)) = 1 AS whole
        FROM (SELECT remark, session_id, version, status FROM attendance_statuses
              UNION ALL SELECT remark, session_id, version, status FROM superseded_statuses) m
        WHERE remark IS NOT NULL GROUP BY remark""",
    "leave": f"""
        SELECT l.note || ' ' || step AS key, CASE l.status WHEN 'approved' THEN {SESSIONS} ELSE 0
               END = (SELECT count(*) FROM attendance_statuses m WHERE m.leave_id = l.id) AS whole
        FROM leaves l, unnest(CASE l.status WHEN 'pending' THEN ARRAY['asked']
            WHEN 'approved' THEN ARRAY['asked', 'approve']
            ELSE ARRAY['asked', 'approve', 'withdraw'] END) step""",
    "merge": f"""
        SELECT pair || 'B' AS key, marks = {SESSIONS} AND other.id IS NULL AS whole
        FROM (SELECT left(roll_no, -1) AS pair, (SELECT count(*) FROM attendance_statuses m
                     WHERE m.student_id = s.id) AS marks
              FROM students s WHERE roll_no LIKE 'M%A') kept
        LEFT JOIN students other ON other.roll_no = pair || 'B'
        WHERE marks > 0 OR other.id IS NULL""",
    "import": f"""
        SELECT c.code || ' ' || (s.session_date - date '{FIRST_DAY}') / {DAYS} AS key,
               count(*) = {STUDENTS * DAYS} AS whole
        FROM classes c JOIN attendance_sessions s ON s.class_id = c.id
        JOIN attendance_statuses m ON m.class_id = c.id AND m.session_id = s.id
        WHERE c.code ~ '^(IMPORTING|LEAVING)' GROUP BY 1""",
}
_LEFT_OPEN = """
SELECT pid, state, query FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aims'"


@dataclass
class Findings:
    """Of all writes: how many were answered, and what is wrong, a line for each."""

    writes: int
    answered: int
    lost: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not (self.lost or self.mixed or self.leaked)


def check(world: World, writes: Iterable[Write], unfinished: list[str]) -> Findings:
    """Compare the writes, after which there was silence, with the database."""
    made = [*writes]
    findings = Findings(len(made), sum(write.answered for write in made))
    for kind, question in _FOUND.items():
        found = {row["key"]: row["whole"] for row in world.rows(question)}
        of_kind = [write for write in made if write.kind == kind]
        findings.lost += [f"{kind} {w.key}" for w in of_kind if w.answered and w.key not in found]
        findings.mixed += [f"{kind} {key}" for key, whole in found.items() if not whole]
    findings.leaked += _leaked(world) + [f"import {run} does not end" for run in unfinished]
    return findings


def _leaked(world: World) -> list[str]:
    left = [f"{row['state']}: {row['query'][:80]}" for row in world.rows(_LEFT_OPEN)]
    connections = world.rows(_CONNECTIONS)[0][0]
    if connections > WORKERS * POOL_SIZE:
        left.append(f"{connections} connections")
    return left


def verify(world: World) -> tuple[bool, str]:
    """Whether `aims verify` finds that histories, marks, leave and statistics agree, and what it
    says."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "verify"],
        env=without_settings() | {"DATABASE_URL": world.url},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr
