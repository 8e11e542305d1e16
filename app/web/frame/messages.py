"""What a page says after something was done: the address carries the key, never the text."""

MESSAGES = {
    "signed_out": "You are signed out.",
    "saved": "Saved.",
    "asked": "Your question is with your teacher.",
    "answered": "Your answer is with the student.",
    "question_withdrawn": "Your question is withdrawn.",
    "leave_requested": "Your request is sent. You see here what is decided.",
    "request_withdrawn": "Your request is withdrawn.",
    "finalised": "The session is finalised. Its marks no longer change.",
    "reopened": "The session is open again.",
    "cancelled": "The session is cancelled. It does not count for anybody.",
    "restored": "The session is restored.",
    "class_made": "The class was created. Add its students next.",
    "student_added": "The student is on the roster.",
    "student_kept": "The student is on the roster. What is stored about them already was kept: "
    "they are in other classes, too.",
    "withdrawn": "The last day is set. All marks are kept.",
    "imported": "The students of the file are on the roster.",
    "slot_added": "The meeting is on the timetable.",
    "slot_removed": "The meeting is off the timetable. Sessions that were taken stay.",
    "moved": "The meeting is moved.",
    "in_calendar": "It is in the calendar.",
    "in_calendar_already": "It was in the calendar already, just like this.",
    "off_calendar": "It is out of the calendar.",
    "policy_set": "These rules are in force. All figures follow them from now on.",
    "leave_asked": "The leave is asked for. Marks change when it is approved.",
    "leave_approved": "The leave is approved. Absences on its days are excused, now and in "
    "sessions to come.",
    "leave_rejected": "The leave is rejected. No mark has changed.",
    "leave_withdrawn": "The leave is withdrawn. Marks that it had excused are as they were.",
    "move_undone": "The meeting is back where the timetable has it.",
}
