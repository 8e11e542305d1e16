-- app.services.health._PING
SELECT 1 AS one;

-- app.services.health._HAS_VERSION
SELECT to_regclass('alembic_version') IS NOT NULL AS there;

-- app.services.health._VERSION
SELECT array_agg(version_num) AS heads FROM alembic_version;

-- app.services.health._TABLES
SELECT count(*) AS tables FROM pg_tables WHERE schemaname = 'public';

-- app.services.health._CLASSES
SELECT EXISTS (SELECT FROM classes) AS any;
