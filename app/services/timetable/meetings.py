"""What meets when: the rule by which weekly slots and moves become meetings on dates."""


def meetings_on(days: str, slots: str = "class_schedules", moves: str = "class_reschedules") -> str:
    """SQL for what is planned on `days`, a relation with `class_id` and `day`.

    Each row has the columns of its day, `start_time` and `end_time`. A slot of the weekday that
    was moved away says where (`to_date, to_start, to_end`); one moved to this day says where
    from (`from_date, from_start, from_end`).
    """
    return f"""
    SELECT d.*, w.start_time, w.end_time,
           away.rescheduled_date AS to_date, away.rescheduled_start_time AS to_start,
           away.rescheduled_end_time AS to_end,
           NULL::date AS from_date, NULL::time AS from_start, NULL::time AS from_end
    FROM {days} d
    JOIN {slots} w
        ON w.class_id = d.class_id AND w.day_of_week = extract(isodow FROM d.day)::smallint
    LEFT JOIN {moves} away
        ON away.class_id = w.class_id AND away.original_date = d.day
       AND away.original_start_time = w.start_time
    UNION ALL
    SELECT d.*, here.rescheduled_start_time, here.rescheduled_end_time, NULL, NULL, NULL,
           here.original_date, here.original_start_time, here.original_end_time
    FROM {days} d
    JOIN {moves} here
        ON here.class_id = d.class_id AND here.rescheduled_date = d.day"""


# From `days` (class_id, day) to what is planned on them. A slot of the weekday that was moved away
# says where (`to_date, to_start, to_end`); one moved to this day says where from (`from_date,
# from_start, from_end`).
MEETINGS = """
meetings AS (
    SELECT d.*, w.start_time, w.end_time,
           away.rescheduled_date AS to_date, away.rescheduled_start_time AS to_start,
           away.rescheduled_end_time AS to_end,
           NULL::date AS from_date, NULL::time AS from_start, NULL::time AS from_end
    FROM days d
    JOIN class_schedules w
        ON w.class_id = d.class_id AND w.day_of_week = extract(isodow FROM d.day)::smallint
    LEFT JOIN class_reschedules away
        ON away.class_id = w.class_id AND away.original_date = d.day
       AND away.original_start_time = w.start_time
    UNION ALL
    SELECT d.*, here.rescheduled_start_time, here.rescheduled_end_time, NULL, NULL, NULL,
           here.original_date, here.original_start_time, here.original_end_time
    FROM days d
    JOIN class_reschedules here
        ON here.class_id = d.class_id AND here.rescheduled_date = d.day
)"""

# The slots of a class on a date, `:class_id` and `:day`: those of its weekday that were not moved
# away, and those moved there.
SLOTS_ON_DAY = """
slots_on_day AS (
    SELECT w.start_time, w.end_time
    FROM class_schedules w
    WHERE w.class_id = :class_id AND w.day_of_week = extract(isodow FROM :day::date)
      AND NOT EXISTS (
          SELECT FROM class_reschedules away
          WHERE away.class_id = :class_id AND away.original_date = :day
            AND away.original_start_time = w.start_time)
    UNION ALL
    SELECT here.rescheduled_start_time, here.rescheduled_end_time
    FROM class_reschedules here
    WHERE here.class_id = :class_id AND here.rescheduled_date = :day
)"""


def moment(wall: str) -> str:
    """SQL for the instant at which the institution's clocks show a `timestamp`.

    When clocks go back, an hour is shown twice and its first showing is meant, where PostgreSQL
    by itself would take the second; when they go forward, a time that is skipped is counted
    from the hour before. So calendars read local times too (RFC 5545, section 3.3.5).
    """
    return f"""(
    SELECT CASE WHEN early::timestamp = wall THEN early ELSE late END
    FROM (SELECT {wall} AS wall, ({wall})::timestamptz AS late) shown
    CROSS JOIN LATERAL (SELECT late - interval '24 hours' AS day_before) earlier
    CROSS JOIN LATERAL (
        SELECT (wall - (day_before::timestamp - day_before AT TIME ZONE 'UTC'))
               AT TIME ZONE 'UTC' AS early
    ) unchanged)"""
