-- app.services.verifying.verify._CLASSES
SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids FROM classes;

-- app.services.verifying.verify._AFTER_EVERYTHING
SELECT set_config('aims.as_of', 'infinity', true);

-- app.services.verifying.verify._STUDENTS
-- $1 after, $2 most
WITH page AS (
    SELECT id, roll_no, roll_key FROM students
    WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2::integer
)
SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids,
       array_agg(roll_no ORDER BY id) AS roll_nos, array_agg(roll_key ORDER BY id) AS roll_keys
FROM page;
