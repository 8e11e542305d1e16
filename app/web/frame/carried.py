"""A file that travels in the form that confirms it, so that nothing is kept on the server between
its preview and its import. A large one is asked for again, and has to be the same.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

from app.web.frame.forms import Form, left_out

# Larger files are not sent to the browser and back: as text they would be more than the 1 MiB
# that a field of a form may have.
_CARRIED = 700 * 1024


def carried(content: bytes) -> str:
    """What the form has of the file; nothing of a large one."""
    return urlsafe_b64encode(content).decode() if len(content) <= _CARRIED else ""


def file_of(form: Form) -> tuple[bytes, str]:
    """The file that was chosen, or else the one that the form carries, and its name."""
    return form.file or _carried(form), form.file_name or form.get("fileName")


def require_file(content: bytes) -> None:
    """Refuse a form without its file."""
    if not content:
        raise left_out("file", "Choose a file.")


def digest_of(content: bytes) -> str:
    """By what the form that asks for a large file again knows it."""
    return sha256(content).hexdigest()


def require_previewed(form: Form, content: bytes) -> None:
    """Refuse another file than the one of which the preview was shown."""
    if form.get("digest") not in ("", digest_of(content)):
        sentence = "This is another file. Look at what it would do before you import it."
        raise left_out("file", sentence)


def _carried(form: Form) -> bytes:
    """The file from the form that a preview wrote."""
    try:
        return urlsafe_b64decode(form.get("content"))
    except (Error, ValueError):
        return b""
