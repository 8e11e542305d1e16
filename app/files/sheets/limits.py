"""The size limits of imported files, and the refusal of a whole file."""

from app.errors import Invalid

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 50_000
MAX_LINES = 1_048_576  # what a spreadsheet holds, with all that is empty
MAX_COLUMNS = 1_000
MAX_CELLS = 1_000_000
MAX_CELL = 32_767  # what a spreadsheet holds in one


def unreadable(sentence: str) -> Invalid:
    """The refusal of a file that cannot be read at all."""
    return Invalid(sentence, code="unreadable_file")
