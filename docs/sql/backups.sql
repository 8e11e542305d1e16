-- app.services.backups._VERSION
SELECT current_setting('server_version_num')::integer / 10000 AS major;

-- app.services.backups.ONE_MOMENT
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- app.services.backups._SNAPSHOT
SELECT set_config('idle_in_transaction_session_timeout', '0', true),
       pg_export_snapshot() AS snapshot, current_setting('server_version') AS postgresql;

-- app.services.backups._TABLES
SELECT coalesce(array_agg(format('%I.%I', schemaname, tablename) ORDER BY tablename), '{}')
       AS tables
FROM pg_tables WHERE schemaname = 'public';

-- app.services.backups._CONTENTS
WITH schemas AS MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
),
things AS (
    SELECT 'pg_class'::regclass AS kind, c.oid
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid FROM schemas WHERE nspname <> 'public'
)
SELECT EXISTS (
    SELECT FROM things t WHERE NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = t.kind AND d.objid = t.oid AND d.deptype = 'e')) AS any;

-- app.services.backups._ANALYZE
ANALYZE;
