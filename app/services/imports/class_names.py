"""Find the class that a file means by code, section, teacher and term."""

import json
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from app.batch import ClassName
from app.db import Transaction
from app.services.access import MINE, STAFF_VERDICT, Actor, check
from app.sql import Statement

# Every class that may be meant, among those that the actor may work in.
_CANDIDATES = Statement(
    MINE,
    STAFF_VERDICT,
    """
candidates AS (
    SELECT c.id, c.code, c.section, u.email AS teacher, t.name AS term,
           c.archived_at IS NOT NULL AS archived,
           c.term_id IS NULL OR c.term_id = (SELECT id FROM v_current_term) AS current
    FROM mine c
    JOIN users u ON u.id = c.teacher_id
    LEFT JOIN terms t ON t.id = c.term_id
    WHERE c.id = ANY(:ids::uuid[]) OR c.code = ANY(:codes::text[])
       OR lower(btrim(c.code)) = ANY(:codes)
)""",
    """
SELECT verdict,
       (SELECT coalesce(json_agg(candidates), '[]') FROM candidates)::text AS candidates
FROM verdict
""",
)


class Unresolved(NamedTuple):
    """The reason why no class was found, as a stable code."""

    code: str


Resolved = dict[ClassName, UUID | Unresolved]


class _Candidate(NamedTuple):
    id: str
    code: str
    section: str
    teacher: str
    term: str | None
    archived: bool
    current: bool


async def resolve(
    tx: Transaction,
    actor: Actor,
    names: Iterable[ClassName],
    outside: dict[str, UUID],
    within: UUID | None = None,
) -> Resolved:
    """Find the class of each name, or the reason why it has none.

    `outside` has classes by their ids in another system. A known id decides, unless code or
    section contradict it. Otherwise code, section, teacher and term decide, as far as they are
    given and in any letter case; of several matches, the only one in the current term counts.
    `within` is the class that everything is for; locking it checks that it exists and that the
    actor may work in it.
    """
    known: Resolved = {}
    wanted: set[ClassName] = set()
    for name in names:
        if name.outside_id is None:
            wanted.add(name)
        else:
            known[name] = outside.get(name.outside_id, Unresolved("unknown_class"))
    return known | await _find(tx, actor, wanted, within) if wanted else known


async def _find(
    tx: Transaction, actor: Actor, wanted: set[ClassName], within: UUID | None
) -> Resolved:
    codes = {spelled for name in wanted if name.code for spelled in (name.code, _key(name.code))}
    row = await tx.row(
        _CANDIDATES,
        actor_id=actor.user_id,
        ids=[within] if within else [name.id for name in wanted if name.id],
        codes=[] if within else list(codes),
    )
    check(row)
    candidates = [_Candidate(**candidate) for candidate in json.loads(row["candidates"])]
    if within:
        here = {name for name in wanted if name.id in (None, within)}
        fits = {name for name in here if not any(name) or _fitting(name, candidates)}
        return {name: within if name in fits else Unresolved("another_class") for name in wanted}
    by_id = {UUID(candidate.id): candidate for candidate in candidates}
    by_code: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        by_code.setdefault(_key(candidate.code), []).append(candidate)
    return {
        name: _by_id(name, by_id[name.id])
        if name.id in by_id
        else _choose(_fitting(name, by_code.get(_key(name.code), [])))
        for name in wanted
    }


def _by_id(name: ClassName, candidate: _Candidate) -> UUID | Unresolved:
    same = _fitting(name._replace(teacher=None, term=None), [candidate])
    return _choose(same) if same else Unresolved("class_mismatch")


def _fitting(name: ClassName, candidates: list[_Candidate]) -> list[_Candidate]:
    return [
        candidate
        for candidate in candidates
        if (name.code is None or _key(name.code) == _key(candidate.code))
        and (name.section is None or _key(name.section) == _key(candidate.section))
        and (name.teacher is None or _key(name.teacher) == _key(candidate.teacher))
        and (name.term is None or _key(name.term) == _key(candidate.term))
    ]


def _choose(fitting: list[_Candidate]) -> UUID | Unresolved:
    live = [candidate for candidate in fitting if not candidate.archived]
    chosen = live if len(live) == 1 else [candidate for candidate in live if candidate.current]
    if len(chosen) == 1:
        return UUID(chosen[0].id)
    if live:
        return Unresolved("ambiguous_class")
    return Unresolved("class_archived" if fitting else "unknown_class")


def _key(text: str | None) -> str:
    return (text or "").strip().casefold()
