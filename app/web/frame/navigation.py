"""The main navigation of each role."""

_STAFF = (
    ("/app/today", "Today"),
    ("/app/classes", "Classes"),
    ("/app/leave", "Leave"),
)
_OFFICE = (
    ("/app/overview", "Overview"),
    ("/app/missing", "Missing"),
    ("/app/below", "Below the line"),
    ("/app/students", "Students"),
    ("/app/calendar", "Calendar"),
    ("/app/policy", "Policy"),
    ("/app/people", "People"),
    ("/app/audit", "What happened"),
)
NAVIGATION = {
    "teacher": _STAFF,
    "admin": (*_STAFF, *_OFFICE),
    "student": (("/app/my", "My attendance"), ("/app/my/leave", "Leave")),
}
