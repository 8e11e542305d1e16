"""Names and sentences that try to be something else: markup, code, another direction of writing."""

import asyncpg

# 200 characters with what people write: as long as names may be.
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
_NAME = f"""{SCRIPT}"' {{{{7*7}}}} \u202eनमस्ते\u0301 دانشگاه אוניברסיטה ✓ """
NAME = (_NAME + "श्रीवेंकटनरसिंहराजुवारिपेटा" * 8)[:190]
_COLUMNS = {
    "classes": ("name", "ltp_pattern", "teacher_type", "practical_group"),
    "students": ("name", "photo_url", "program", "sp_code", "semester", "status", "duration"),
    "users": ("name", "department", "employee_id"),
    "allowed_emails": ("name",),
    "terms": ("name",),
    "holidays": ("name",),
    "import_runs": ("file_name", "detail"),
    "leaves": ("note",),
    "class_reschedules": ("reason",),
    "attendance_sessions": ("status_reason", "processed_image_url"),
    "attendance_statuses": ("remark", "said_remark"),
    "attendance_batches": ("reason",),
    "session_events": ("reason",),
    "mark_questions": ("text", "answer"),
    "audit_log": ("subject",),
}


async def spoil(connection: asyncpg.Connection) -> None:
    """Give everything that people name the hostile name. The texts that are null stay so."""
    owner = await connection.fetchval("SELECT session_user")
    await connection.execute(f'SET LOCAL ROLE "{owner}"')
    for table, columns in _COLUMNS.items():
        values = ", ".join(
            f"{name} = {name} || $1"
            if name == "subject"
            else f"{name} = $1 || left(md5({name}), 10)"
            for name in columns
        )
        present = " OR ".join(f"{name} IS NOT NULL" for name in columns)
        await connection.execute(f"UPDATE {table} SET {values} WHERE {present}", NAME)
