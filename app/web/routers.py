"""The pages of the console, by rooms."""

from app.web.audit import audit
from app.web.calendar import calendar
from app.web.class_student import class_student
from app.web.classes import class_page, classes
from app.web.frame import assets
from app.web.frame.missing import router as missing
from app.web.imports import imports
from app.web.leave import ask_leave, decide_leave, leave_pages
from app.web.my import leave, my
from app.web.office import figures
from app.web.people import allow_list, people_import, users
from app.web.policy import policy
from app.web.questions import questions
from app.web.roster import roster, roster_import
from app.web.sessions import sessions
from app.web.settings import settings
from app.web.signin import sign_in
from app.web.students import merging, students
from app.web.take import take
from app.web.teachers import teachers
from app.web.timetable import timetable
from app.web.today import today

# `missing` answers for every other address, so it comes last.
ROUTERS = (
    sign_in.router,
    sign_in.signed_in_router,
    today.router,
    take.router,
    sessions.router,
    questions.router,
    classes.router,
    my.router,
    leave.router,
    class_page.router,
    roster.router,
    roster_import.router,
    timetable.router,
    teachers.router,
    settings.router,
    class_student.router,
    figures.router,
    calendar.router,
    policy.router,
    leave_pages.router,
    ask_leave.router,
    decide_leave.router,
    users.router,
    people_import.router,
    allow_list.router,
    audit.router,
    students.router,
    merging.router,
    imports.router,
    assets.router,
    missing,
)
