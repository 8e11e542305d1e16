"""What a page says after something was done: the address carries the key, never the text."""

MESSAGES = {
    "signed_out": "You are signed out.",
    "saved": "Saved.",
    "asked": "Your question is with your teacher.",
    "finalised": "The session is finalised. Its marks no longer change.",
    "reopened": "The session is open again.",
    "cancelled": "The session is cancelled. It does not count for anybody.",
    "restored": "The session is restored.",
}
