"""The main navigation of each role: pages, or a menu of them under its label."""

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
)
_ADMINISTRATION = (
    ("/app/people", "People"),
    ("/app/imports", "Imports"),
    ("/app/calendar", "Calendar"),
    ("/app/policy", "Policy"),
    ("/app/audit", "What happened"),
)
_STUDENT = (
    ("/app/my", "My attendance"),
    ("/app/my/leave", "Leave"),
)
NAVIGATION = {
    "teacher": (("", _STAFF),),
    "admin": (("", _STAFF), ("Office", _OFFICE), ("Administration", _ADMINISTRATION)),
    "student": (("", _STUDENT),),
}
