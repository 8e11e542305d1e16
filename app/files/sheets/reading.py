"""Reads the files that people send beside the event loop, so that it keeps running."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app.batch import Batch
from app.files.sheets.batches import read_batch
from app.files.sheets.choices import UNCHOSEN, Choices
from app.heavy import beside
from app.schemas.imports import Kind

# One file at a time is read: each may need a hundred MiB.
_READER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")


async def read_beside(
    kind: Kind, content: bytes, chosen: Choices = UNCHOSEN, *, in_class: bool = False
) -> Batch:
    """`read_batch` in a thread."""
    read = partial(read_batch, kind, content, in_class=in_class, chosen=chosen)
    return await beside(read, threads=_READER)
