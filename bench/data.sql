-- 200 teachers, 200 classes of 60 (12,000 students), 40 sessions each: 480,000 marks.
-- The first 50 teachers have four classes each. Ids follow from numbers: md5('class7')::uuid.
SELECT setseed(0.42);

INSERT INTO allowed_emails (email, name, role)
SELECT 't' || i || '@demo.university.example', 'Teacher ' || i, 'teacher'
FROM generate_series(1, 200) i;

INSERT INTO users (id, email, name)
SELECT md5('user' || i)::uuid, 't' || i || '@demo.university.example', 'Teacher ' || i
FROM generate_series(1, 200) i;

INSERT INTO classes (id, code, name, section, teacher_id)
SELECT md5('class' || i)::uuid, 'CS' || (100 + i), 'Course ' || i, 'A',
       md5('user' || ((i - 1) / 4 + 1))::uuid
FROM generate_series(1, 200) i;

INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
SELECT md5('class' || i)::uuid, day, '09:00', '10:00'
FROM generate_series(1, 200) i CROSS JOIN generate_series(1, 3) day;

INSERT INTO students (id, roll_no, roll_key, name, photo_url, program, semester, email, phone)
SELECT md5('student' || i)::uuid, '23/CS/' || number, '23/cs/' || number,
       'Student Number ' || i, 'https://photos.demo.university.example/' || i || '.jpg',
       'B.Tech Computer Science', '5', 's' || i || '@demo.university.example', '+91 00000 00000'
FROM generate_series(1, 12000) i CROSS JOIN LATERAL (SELECT lpad(i::text, 5, '0') AS number) n;

INSERT INTO class_students (class_id, student_id, periods)
SELECT md5('class' || ((i - 1) / 60 + 1))::uuid, md5('student' || i)::uuid, '{[2026-01-01,)}'
FROM generate_series(1, 12000) i;

INSERT INTO attendance_sessions (
    class_id, id, session_date, start_time, end_time, teacher_id, version)
SELECT md5('class' || c)::uuid, md5('session' || c || '-' || s)::uuid, date '2026-06-01' + s,
       '09:00', '10:00', md5('user' || ((c - 1) / 4 + 1))::uuid, 1
FROM generate_series(1, 40) s CROSS JOIN generate_series(1, 200) c;

INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id)
SELECT class_id, id, 1, 'bench', teacher_id FROM attendance_sessions;

INSERT INTO attendance_statuses (
    class_id, session_id, student_id, status, recognized_by_ai, similarity_score, marked_by,
    version)
SELECT e.class_id, s.id, e.student_id,
       (ARRAY['present', 'present', 'present', 'present', 'absent', 'late', 'excused'])
           [1 + floor(random() * 7)::int],
       random() < 0.5, round((60 + random() * 40)::numeric, 2), s.teacher_id, 1
FROM attendance_sessions s
JOIN class_students e ON e.class_id = s.class_id
ORDER BY s.session_date, s.class_id;

VACUUM ANALYZE;
