"""The data for benchmarks: 480,000 marks, inserted in bulk.

200 teachers and 200 classes of 60 (12,000 students), 40 sessions each. The first 50 teachers
have four classes each, all in one term. Every second student of a class was recognised in a
photo, the others were marked by hand. Ids are derived from numbers, as in md5('class7')::uuid,
and marks from hashes of these, so that the data is the same every time.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta

from app.db import Database
from app.sql import Statement

CLASSES, STUDENTS, SESSIONS = 200, 60, 40

# `:first` is the day of the first session. The only term is the current one on any day.
_TERM = Statement(f"""
INSERT INTO terms (id, name, first_day, last_day)
VALUES (md5('term')::uuid, 'Term of the benchmark', :first, :first::date + {2 * SESSIONS})
""")

_PEOPLE_AND_CLASSES = (
    Statement(f"""
INSERT INTO allowed_emails (email, name, role)
SELECT 't' || i || '@demo.university.example', 'Teacher ' || i, 'teacher'
FROM generate_series(1, {CLASSES}) i
"""),
    Statement(f"""
INSERT INTO users (id, email, name)
SELECT md5('user' || i)::uuid, 't' || i || '@demo.university.example', 'Teacher ' || i
FROM generate_series(1, {CLASSES}) i
"""),
    Statement(f"""
INSERT INTO classes (id, code, name, section, teacher_id, term_id)
SELECT md5('class' || i)::uuid, 'CS' || (100 + i), 'Course ' || i, 'A',
       md5('user' || ((i - 1) / 4 + 1))::uuid, md5('term')::uuid
FROM generate_series(1, {CLASSES}) i
"""),
    Statement(f"""
INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
SELECT md5('class' || i)::uuid, day, '09:00', '10:00'
FROM generate_series(1, {CLASSES}) i CROSS JOIN generate_series(1, 3) day
"""),
    Statement(f"""
INSERT INTO students (id, roll_no, roll_key, name, photo_url, program, semester, email, phone)
SELECT md5('student' || i)::uuid, '23/CS/' || number, '23/cs/' || number,
       'Student Number ' || i, 'https://photos.demo.university.example/' || i || '.jpg',
       'B.Tech Computer Science', '5', 's' || i || '@demo.university.example', '+91 00000 00000'
FROM generate_series(1, {CLASSES * STUDENTS}) i
CROSS JOIN LATERAL (SELECT lpad(i::text, 5, '0') AS number) n
"""),
)

_ENROLMENTS = Statement(f"""
INSERT INTO class_students (class_id, student_id, periods)
SELECT md5('class' || ((i - 1) / {STUDENTS} + 1))::uuid, md5('student' || i)::uuid,
       datemultirange(daterange(:first, NULL))
FROM generate_series(1, {CLASSES * STUDENTS}) i
""")

# `:number` is that of the day, `:at` when marks are made. One statement per day spreads the marks
# of a class over the disk as real use does.
_DAY = Statement(f"""
WITH sessions AS (
    INSERT INTO attendance_sessions (
        class_id, id, session_date, start_time, end_time, teacher_id, version, created_at)
    SELECT md5('class' || c)::uuid, md5('session' || c || '-' || :number::integer)::uuid, :day,
           '09:00', '10:00', md5('user' || ((c - 1) / 4 + 1))::uuid, 1, :at
    FROM generate_series(1, {CLASSES}) c
    RETURNING class_id, id, teacher_id
),
batches AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at)
    SELECT class_id, id, 1, 'bench', teacher_id, :at FROM sessions
)
INSERT INTO attendance_statuses (
    class_id, session_id, student_id, status, recognized_by_ai, similarity_score, source,
    marked_by, marked_at, version)
SELECT s.class_id, s.id, md5('student' || i)::uuid,
       (ARRAY['present', 'present', 'present', 'present', 'absent', 'late', 'excused'])
           [1 + chance % 7],
       by_ai, CASE WHEN by_ai THEN 60 + (chance / 14 % 4000) / 100.0 END,
       CASE WHEN by_ai THEN 'ai' ELSE 'manual' END, s.teacher_id, :at, 1
FROM generate_series(1, {CLASSES * STUDENTS}) i
CROSS JOIN LATERAL (
    SELECT (hashint8extended(i * 1000 + :number::integer, 42) & 2147483647)::integer AS chance,
           i % 2 = 0 AS by_ai
) hashed
JOIN sessions s ON s.class_id = md5('class' || ((i - 1) / {STUDENTS} + 1))::uuid
ORDER BY s.class_id, i
""")

_ANALYZE = Statement("ANALYZE")


async def fill(db: Database, now: datetime, step: Callable[[], object] = lambda: None) -> None:
    """Create all of it or nothing, with sessions on the days before `now`, the local time.

    `step` is called after each day.
    """
    first = now.date() - timedelta(days=SESSIONS)
    async with db.transaction() as tx:
        await tx.execute(_TERM, first=first)
        for statement in _PEOPLE_AND_CLASSES:
            await tx.execute(statement)
        await tx.execute(_ENROLMENTS, first=first)
        for number in range(1, SESSIONS + 1):
            day = first + timedelta(days=number - 1)
            at = datetime.combine(day, time(9, 5), now.tzinfo)
            await tx.execute(_DAY, day=day, number=number, at=at)
            step()
        await tx.execute(_ANALYZE)
