"""Resolve the e-mail addresses that name students in marks to roll numbers."""

import json

from app.batch import MarkRow
from app.db import Transaction
from app.schemas.words import is_address
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.outcomes import Outcomes, Table
from app.sql import Statement

# Addresses that belong to exactly one student of the class, in either of the two fields.
_OWNERS = Statement("""
SELECT coalesce(json_agg(json_build_array(class_id, address, roll_no)), '[]')::text AS owners
FROM (
    SELECT e.class_id, a.address, min(s.roll_no) AS roll_no
    FROM class_students e JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (VALUES (lower(btrim(s.email))), (lower(btrim(s.dtu_email)))) a(address)
    WHERE e.class_id = ANY(:class_ids::uuid[]) AND a.address = ANY(:addresses::text[])
    GROUP BY e.class_id, a.address HAVING count(DISTINCT s.id) = 1
) owned
""")


async def with_roll_numbers(
    tx: Transaction, marks: list[MarkRow], classes: Resolved, report: Outcomes
) -> list[MarkRow]:
    """Replace each address by the roll number of the one student of the class who has it.

    Other addresses are refused, except those of possible guests, which are left out and reported.
    A value that is not an address is taken as a roll number: some of several sheets may have these.
    """
    class_ids = {id for id in classes.values() if not isinstance(id, Unresolved)}
    addresses = list({mark.roll_no.strip().lower() for mark in marks})
    row = await tx.row(_OWNERS, class_ids=list(class_ids), addresses=addresses)
    owners = {(id, address): roll_no for id, address, roll_no in json.loads(row["owners"])}
    found, guests = [], set()
    for mark in marks:
        if not is_address(mark.roll_no.strip()):
            found.append(mark)
            continue
        class_id = classes[mark.session.class_name]
        roll_no = owners.get((str(class_id), mark.roll_no.strip().lower()))
        if roll_no or isinstance(class_id, Unresolved):
            found.append(mark._replace(roll_no=roll_no or mark.roll_no, name=None))
        elif mark.may_be_guest:
            guests.add(mark.row)
        else:
            report.refuse(Table.MARKS, mark.row, "roll_no", "no_such_address")
    if guests:
        report.leave_out_guests(sorted(guests))
    return found
