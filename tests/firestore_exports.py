"""Invented exports of Firestore, in the shapes that the usual tools write.

An export is first plain Python: collections of documents by id, where a `datetime` is a
timestamp. Each of `SHAPES` writes it as JSON its own way.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.files.firestore.contents import Records
from app.files.firestore.export import read_json
from app.files.firestore.mapping import PACKAGED, Mapping, read_mapping
from app.files.firestore.records import read_records
from tests.classroom import today

Export = dict[str, dict[str, dict[str, Any]]]

ZONE = ZoneInfo("Asia/Kolkata")
OURS = read_mapping(PACKAGED.read_bytes())

DOMAIN = "demo.university.example"
ROOT = "projects/demo-university/databases/(default)/documents"


def student(number: int, **more: Any) -> dict[str, Any]:
    """A student as the app keeps one."""
    roll = f"23/CS/{number:03}"
    return {"rno": roll, "name": f"Student {number:03} Demo", "photoUrl": "", **more}


def class_(code: str = "CS301", **more: Any) -> dict[str, Any]:
    """A class of Asha's as the app keeps one: Mondays and Wednesdays at nine, three students."""
    return {
        "id": code,
        "name": "Operating Systems",
        "section": "A",
        "ltpPattern": "310",
        "teacherType": "Lecture",
        "practicalGroup": None,
        "teacherEmail": f"asha@{DOMAIN}",
        "schedule": {
            "Monday": {"start": "09:00", "end": "10:00"},
            "Wednesday": {"start": "9:00 AM", "end": "10:00 AM"},
        },
        "reschedules": [],
        "students": [student(101), student(102), student(103)],
        **more,
    }


def attendance(class_id: str, day: date | str, statuses: Any, **more: Any) -> dict[str, Any]:
    """A record of attendance; the app leaves `id` empty."""
    return {
        "id": "",
        "classId": class_id,
        "date": str(day),
        "studentStatuses": statuses,
        "processedImagePath": None,
        **more,
    }


def everybody(status: str = "Present", *numbers: int) -> dict[str, str]:
    return {student(number)["rno"]: status for number in numbers or (101, 102, 103)}


def read(content: Any, mapping: Mapping = OURS) -> Records:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_records(read_json(content), mapping, ZONE, today())


def left_out(records: Records) -> Counter[tuple[str, str]]:
    """What was left out of which document, and how many times."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in records.left_out:
        counts[item.path, item.code] += item.count
    return counts


# How tools write it.


def plain(export: Export) -> Any:
    """Maps of documents by id, timestamps in ISO 8601."""
    return _with(export, lambda moment: moment.isoformat().replace("+00:00", "Z"))


def seconds(export: Export) -> Any:
    """firestore-export-import: timestamps as seconds and nanoseconds."""
    return _with(export, lambda moment: {"_seconds": int(moment.timestamp()), "_nanoseconds": 0})


def milliseconds(export: Export) -> Any:
    """A script of one's own: lists of documents with their data apart, timestamps as numbers."""
    moments = _with(export, lambda moment: int(moment.timestamp() * 1000))
    return {
        name: [{"id": key, "data": fields} for key, fields in documents.items()]
        for name, documents in moments.items()
    }


def collections(export: Export) -> Any:
    """node-firestore-import-export."""

    def moment(at: datetime) -> Any:
        value = {"_seconds": int(at.timestamp()), "_nanoseconds": 0}
        return {"__datatype__": "timestamp", "value": value}

    found = _with(export, moment)
    return {
        "__collections__": {
            name: {key: {**fields, "__collections__": {}} for key, fields in documents.items()}
            for name, documents in found.items()
        }
    }


def rest(export: Export) -> Any:
    """Pages of the REST API, one of them for each collection."""
    return [
        {
            "documents": [
                {
                    "name": f"{ROOT}/{name}/{key}",
                    "fields": {field: _typed(value) for field, value in fields.items()},
                    "createTime": "2025-08-01T04:00:00.000000Z",
                    "updateTime": "2025-08-01T04:00:00.000000Z",
                }
                for key, fields in documents.items()
            ]
        }
        for name, documents in export.items()
    ]


SHAPES: dict[str, Callable[[Export], Any]] = {
    "plain": plain,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "collections": collections,
    "rest": rest,
}


def written(export: Export, shape: str = "plain") -> bytes:
    """The file that the tool of that name writes."""
    return json.dumps(SHAPES[shape](export)).encode()


def _with(value: Any, moment: Callable[[datetime], Any]) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict):
        return {key: _with(inner, moment) for key, inner in value.items()}
    return [_with(inner, moment) for inner in value] if isinstance(value, list) else value


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"nullValue": None}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"integerValue": str(value)}
        case float():
            return {"doubleValue": value}
        case datetime():
            return {"timestampValue": value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        case dict():
            fields = {key: _typed(inner) for key, inner in value.items()}
            return {"mapValue": {"fields": fields} if fields else {}}
        case list():
            values = [_typed(inner) for inner in value]
            return {"arrayValue": {"values": values} if values else {}}
        case _:
            return {"stringValue": value}
