"""The main navigation of each role."""

_TEACHER = (
    ("/app/today", "Today"),
    ("/app/classes", "Classes"),
    ("/app/leave", "Leave"),
)
_OFFICE = (
    ("/app/overview", "Overview"),
    ("/app/missing", "Missing"),
    ("/app/below", "Below the line"),
    ("/app/students", "Students"),
    ("/app/import", "Import"),
    ("/app/people", "People"),
    ("/app/calendar", "Calendar"),
    ("/app/policy", "Policy"),
    ("/app/audit", "What happened"),
)
NAVIGATION = {
    "teacher": _TEACHER,
    "admin": (*_TEACHER, *_OFFICE),
    "student": (
        ("/app/my", "My attendance"),
        ("/app/my/sessions", "Sessions"),
        ("/app/my/leave", "Leave"),
    ),
}
# Where each role begins.
START = {"teacher": "/app/today", "admin": "/app/overview", "student": "/app/my"}
