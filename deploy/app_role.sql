-- The role for a server that cannot rewrite history. The owner of the tables runs this after
-- every migration; it can be run again at any time:
--
--     psql attendance -f deploy/app_role.sql
--
-- and grants the role, once, to the user that the server connects as: GRANT aims_app TO aims.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aims_app') THEN
        CREATE ROLE aims_app NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO aims_app;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM aims_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO aims_app;
-- The state at an earlier instant, for figures of the past.
GRANT USAGE ON SCHEMA as_of TO aims_app;
GRANT SELECT ON ALL TABLES IN SCHEMA as_of TO aims_app;

-- Current state. Users are disabled, and sessions, leave and questions stay: none is ever deleted.
GRANT INSERT, UPDATE ON users, attendance_sessions, leaves, mark_questions TO aims_app;
GRANT INSERT ON leave_sessions TO aims_app;
GRANT UPDATE ON policy TO aims_app;
GRANT INSERT, UPDATE, DELETE ON
    allowed_emails, terms, holidays, students, student_accounts, classes, class_schedules,
    class_reschedules, class_students, class_teachers, attendance_statuses,
    import_runs
TO aims_app;

-- History, and who did what: append-only.
GRANT INSERT ON
    audit_log, attendance_batches, superseded_statuses, session_events, enrolment_events, policies
TO aims_app;
-- When two records of one student are merged, the history of the other is reassigned,
-- nothing else.
GRANT UPDATE (student_id, recorded_for) ON superseded_statuses TO aims_app;
GRANT UPDATE (student_id) ON enrolment_events TO aims_app;

COMMIT;
