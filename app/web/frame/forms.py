"""Forms as browsers send them: their texts, and the API's models made of these."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from app.errors import AppError, Flaw, Invalid, Malformed
from app.problems import of_validation

M = TypeVar("M", bound=BaseModel)

# A class of many hundred students has a field for each.
_MOST_FIELDS = 5_000


@dataclass(frozen=True)
class Form:
    """`texts` are the fields by name, in order, without surrounding white space; `file` is what
    was uploaded."""

    texts: list[tuple[str, str]]
    file: bytes = b""
    file_name: str = ""

    @classmethod
    async def of(cls, request: Request) -> "Form":
        """The body of the request; `Malformed` if it is not a form."""
        try:
            sent = await request.form(max_files=1, max_fields=_MOST_FIELDS)
        except (MultiPartException, ValueError):
            # A form names its charset itself: there are some that nothing can be read in.
            raise _unreadable() from None
        texts, file, name = [], b"", ""
        for key, value in sent.multi_items():
            if isinstance(value, UploadFile):
                file, name = await value.read(), value.filename or ""
            else:
                texts.append((key, value.replace("\r\n", "\n").strip()))
        await sent.close()
        _refuse_surrogates(name, *(part for pair in texts for part in pair))
        return cls(texts, file, name)

    def get(self, name: str, default: str = "") -> str:
        """The last text of that name."""
        return dict(self.texts).get(name, default)

    def all(self, name: str) -> list[str]:
        """All texts of that name: the boxes of it that are ticked."""
        return [text for each, text in self.texts if each == name]

    def read(self, model: type[M], **more: Any) -> M:
        """The model from the fields that are not empty, and `more`.

        Raises `Invalid` with a pointer `/field` for each that is refused.
        """
        names = {field.alias or name for name, field in model.model_fields.items()}
        texts = {name: text for name, text in self.texts if name in names and text}
        return validated(model, {**texts, **more})


def _refuse_surrogates(*texts: str) -> None:
    """Refuse halves of characters, as UTF-7 can spell them: nothing can store or show them."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise _unreadable() from None


def _unreadable() -> Malformed:
    return Malformed("The form could not be read.")


def validated(model: type[M], values: Any) -> M:
    """The model of the values; `Invalid` names what is wrong with each field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise of_validation(RequestValidationError(found)) from None


def left_out(name: str, sentence: str) -> Invalid:
    """The refusal of a form without a field that it needs."""
    flaw = Flaw(f"/{name}", "required", sentence)
    return Invalid(sentence, code="validation_failed", flaws=(flaw,))


def beside_fields(refusal: AppError) -> AppError:
    """The refusal as a form tells it: each flaw by its field, wherever a request would have it."""
    flat = copy(refusal)
    flat.flaws = tuple(
        replace(flaw, pointer=f"/{flaw.pointer.rpartition('/')[2]}") for flaw in refusal.flaws
    )
    if flat.code == "validation_failed" and flat.flaws:
        flat.detail = f"Please correct this: {flat.flaws[0].detail}"
    return flat
