-- Extensions that are handy for an administrator. AIMS needs none of them, so one that this
-- server does not have is skipped.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['pg_stat_statements', 'pgcrypto', 'uuid-ossp'] LOOP
        IF EXISTS (SELECT FROM pg_available_extensions WHERE name = wanted) THEN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', wanted);
        ELSE
            RAISE NOTICE 'extension % is not available here, skipped', wanted;
        END IF;
    END LOOP;
END
$$;
