"""A student says that a mark is wrong, so that a Today of the demo has a question."""

from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.demo.department import STUDENTS
from app.demo.google import ISSUER
from app.schemas.attendance import Status
from app.schemas.mine import MySession
from app.schemas.questions import QuestionDraft
from app.services.access import StudentActor
from app.services.mine import my_questions, my_sessions
from app.services.mine.my_sessions import Filter
from app.services.people import student_accounts

_sessions = TypeAdapter(list[MySession])
_WORDS = "I was there, in the last row, and have the notes."
_MOST_SESSIONS = 200


async def question(db: Database, class_id: UUID, sub_of: Callable[[str], str], today: date) -> None:
    """The second of the students to try questions their last absence in that class before today."""
    address, name = STUDENTS[1]
    person = await student_accounts.sign_in(
        *(db, ISSUER, sub_of(address), address, name), students=True, request_id=""
    )
    student = StudentActor(person.id, "", let_in=True)
    before = Filter(class_id, last=today - timedelta(days=1))
    listed = await my_sessions.sessions(db, student, before, _MOST_SESSIONS, None)
    sessions = _sessions.validate_json(listed.json)
    absences = [session for session in sessions if session.mark is Status.ABSENT]
    asked = (absences or sessions)[0]
    draft = {"classId": str(class_id), "sessionId": str(asked.session_id), "text": _WORDS}
    await my_questions.ask(db, student, QuestionDraft.model_validate(draft))
