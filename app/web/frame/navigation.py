"""The main navigation of each role."""

_STAFF = (
    ("/app/today", "Today"),
    ("/app/classes", "Classes"),
)
NAVIGATION = {
    "teacher": _STAFF,
    "admin": _STAFF,
    "student": (("/app/my", "My attendance"),),
}
