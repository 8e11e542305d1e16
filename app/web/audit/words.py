"""The audit log in people's words: what was done, by whom, about what."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.services.audit import COMMAND_LINE
from app.web.frame.templates import day, percent

ACTIONS = {
    "email_allowed": "Let somebody sign in",
    "allowed_email_changed": "Changed who may sign in",
    "email_disallowed": "Took somebody off the list of who may sign in",
    "user_changed": "Changed an account",
    "user_disabled": "Deactivated an account",
    "user_enabled": "Activated an account",
    "student_changed": "Corrected a student's record",
    "students_merged": "Merged two records of a student",
    "student_erased": "Erased the personal data of a student",
    "student_enrolled": "Put a student on a roster",
    "student_withdrawn": "Withdrew a student from a class",
    "enrolment_changed": "Changed a student's days in a class",
    "class_reassigned": "Gave a class to another teacher",
    "class_archived": "Archived a class",
    "class_deleted": "Deleted a class",
    "class_restored": "Restored a class",
    "class_imported": "Imported a class",
    "teacher_added": "Added a teacher to a class",
    "teacher_changed": "Changed a teacher of a class",
    "teacher_removed": "Removed a teacher from a class",
    "leave_requested": "Asked for leave",
    "leave_approved": "Approved leave",
    "leave_rejected": "Rejected leave",
    "leave_withdrawn": "Withdrew leave",
    "question_answered": "Answered a question about a mark",
    "student_sign_in_refused": "Refused a student: several records have the address",
    "policy_changed": "Changed what counts",
    "term_added": "Added a term",
    "term_changed": "Changed a term",
    "term_removed": "Removed a term",
    "holiday_added": "Added a holiday",
    "holiday_changed": "Changed a holiday",
    "holiday_removed": "Removed a holiday",
}
# What something is called that has no name, or none any more.
_NAMELESS = {
    "allowed_email": "an address that is off the list",
    "leave": "leave that is gone",
    "question": "a question that is gone",
}
_LABELS = {
    "from": "From",
    "to": "To",
    "fields": "Fields changed",
    "classId": "Class",
    "sessionId": "Session",
    "studentId": "Student",
    "userId": "Person",
    "other": "The other record",
    "students": "Their records",
    "onDuty": "Leave on duty",
}
_VALUES = {
    "co_teacher": "co-teacher",
    "admin": "administrator",
    "roll_no": "roll number",
    "dtu_email": "the institution's address",
    "employeeId": "employee number",
    "employee_id": "employee number",
    "sp_code": "SP code",
    "photo_url": "photo",
}
# How values are written that are more than words; the threshold is in hundredths of a per cent.
_WRITTEN: dict[str, Callable[[Any], str]] = {
    "firstDay": day,
    "lastDay": day,
    "threshold": lambda value: percent(value / 100),
    "lateWeight": percent,
}
# The pages of those kinds of things that have one.
_PAGES = {
    "user": "/app/people/users/",
    "allowed_email": "/app/people/",
    "class": "/app/classes/",
    "session": "/app/sessions/",
    "leave": "/app/leave/",
    "term": "/app/calendar/terms/",
    "holiday": "/app/calendar/holidays/",
    "student": "/app/students/",
}
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Names = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Thing:
    """Something by its name, with the address of its page if there is one."""

    name: str
    page: str | None = None


# There is one, and it has no id.
_POLICY = Thing("The policy", "/app/policy")


@dataclass(frozen=True)
class Told:
    """An entry as people read it. `details` are pairs of a label and things."""

    entry: dict[str, Any]
    what: str
    who: Thing
    about: Thing
    details: list[tuple[str, list[Thing]]]


def ids_of(entries: Iterable[Mapping[str, Any]]) -> set[UUID]:
    """All ids in the entries that may have a name."""
    found = set()
    for entry in entries:
        inside = (each for value in entry["details"].values() for each in _listed(value))
        for text in (entry["actorId"], entry["subjectId"], *inside):
            if isinstance(text, str) and _UUID.fullmatch(text):
                found.add(UUID(text))
    return found


def told(entry: dict[str, Any], names: Names) -> Told:
    """The entry in words; `names` are the API's by id."""
    details = [
        (label_of(key), [_value(key, each, names) for each in _listed(value)])
        for key, value in entry["details"].items()
        if value not in (None, [])
    ]
    nameless = _NAMELESS.get(entry["subject"], f"a {spaced(entry['subject'])} that is gone")
    about = thing_of(entry["subjectId"], names, nameless)
    if entry["subject"] == "policy":
        about = _POLICY
    return Told(entry, action_of(entry["action"]), _who(entry, names), about, details)


def action_of(action: str) -> str:
    """What was done; an action without words of its own by its name."""
    return ACTIONS.get(action) or spaced(action).capitalize()


def label_of(key: str) -> str:
    """What is said before a detail."""
    return _LABELS.get(key) or spaced(re.sub("([A-Z])", r"_\1", key)).lower().capitalize()


def spaced(text: str) -> str:
    return text.replace("_", " ")


def thing_of(id: str, names: Names, nameless: str) -> Thing:
    """What the id belongs to."""
    found = names.get(id)
    if found is None:
        return Thing(nameless)
    page = _PAGES.get(found["kind"])
    return Thing(found["name"], page and page + id)


def _who(entry: dict[str, Any], names: Names) -> Thing:
    """Entries without an actor are of the command line, or of a student."""
    if entry["actorId"] is not None:
        return thing_of(entry["actorId"], names, "somebody who is gone")
    if entry["requestId"] == COMMAND_LINE:
        return Thing("The command line")
    return thing_of(entry["details"].get("studentId", ""), names, "A student")


def _value(key: str, value: Any, names: Names) -> Thing:
    if isinstance(value, dict):
        return Thing(", ".join(f"{label_of(name)} {each}" for name, each in value.items()))
    text = str(value)
    if _UUID.fullmatch(text):
        return thing_of(text, names, text)
    if key in _WRITTEN:
        return Thing(_WRITTEN[key](value))
    return Thing(_VALUES.get(text) or spaced(text))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
