"""Any sequence of calls leaves in the memory store and in the cache what dictionaries say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lsm.agents.memory import MemoryStore
from lsm.clock import to_text
from lsm.errors import RefusedError
from lsm.remote.storage import RemoteCache, cache_key
from tests.test_agents.scheduling import FakeClock

if TYPE_CHECKING:
    from datetime import datetime

    from lsm.db import Database

TEXTS = st.sampled_from(["red kiln", "blue kiln", "Red  kiln", "tide", "harbour tide"])
SCOPES = st.sampled_from(["team", "team/weather"])
KEYS = st.sampled_from([None, None, "first", "second"])
TTLS = st.sampled_from([None, None, "3d", "10d"])
DAYS = {"3d": 3, "10d": 10}
KIND = "note"  # which has no lifetime of its own
STANDING = ("pending", "active", "rejected")  # what the same words come back to


@dataclass
class Entry:
    """A memory, as a dictionary has it."""

    id: str
    number: int
    text: str
    scope: str
    key: str | None
    status: str
    expires: datetime | None = None
    version: int = 1
    was: list[Entry] = field(default_factory=list)  # the states in which it was in use

    @property
    def words(self) -> str:
        return " ".join(self.text.split()).casefold()


class AnyMemories(RuleBasedStateMachine):
    """Remember, propose, decide, change, let go, in any order, while time passes."""

    db: Database  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryStore(self.db, self.clock)
        self.db.run("DELETE FROM lsm_agent_memories")
        self.held: dict[str, Entry] = {}

    @rule(text=TEXTS, scope=SCOPES, key=KEYS, ttl=TTLS)
    def add(self, text: str, scope: str, key: str | None, ttl: str | None) -> None:
        wanted = Entry("", 0, text, scope, key, "active", self.ends(ttl))
        same = self.same(wanted)
        if same is not None and self.is_over(same):
            over, same = same, None
        else:
            over = None
        if same is not None and same.status == "active":
            assert self.said(wanted, ttl) == ("exists", same.id)
        elif self.holder(wanted, but=same) is not None:
            with pytest.raises(RefusedError):
                self.said(wanted, ttl)
        else:
            outcome, found = self.said(wanted, ttl)
            assert outcome == "added"
            if over is not None:
                self.change(over, status="expired")
            if same is not None:
                assert found == same.id
                self.change(same, text=text, expires=wanted.expires, status="active")
            else:
                self.hold(wanted, found)

    @rule(text=TEXTS, scope=SCOPES, key=KEYS)
    def propose(self, text: str, scope: str, key: str | None) -> None:
        wanted = Entry("", 0, text, scope, key, "pending")
        same = self.same(wanted) or self.same_words(wanted)

        result = self.store.propose(text, scope=scope, key=key, type=KIND)

        if same is not None and not self.is_over(same):
            assert (result.outcome, result.id) == ("exists", same.id)
            return
        if same is not None:
            self.change(same, status="expired")
        assert result.outcome == "proposed"
        self.hold(wanted, result.id)

    @rule(chance=st.randoms(use_true_random=False))
    def promote(self, chance: st.DrawFn) -> None:
        entry = self.any_of(chance, "pending")
        if entry is None:
            return
        if self.holder(entry) is not None:
            with pytest.raises(RefusedError):
                self.store.promote(entry.id)
        else:
            self.store.promote(entry.id)
            self.change(entry, status="active")

    @rule(chance=st.randoms(use_true_random=False))
    def reject(self, chance: st.DrawFn) -> None:
        entry = self.any_of(chance, "pending")
        if entry is not None:
            self.store.reject(entry.id)
            self.change(entry, status="rejected")

    @rule(chance=st.randoms(use_true_random=False), text=TEXTS)
    def update(self, chance: st.DrawFn, text: str) -> None:
        entry = self.any_of(chance)
        if entry is None:
            return
        other = self.same(replace(entry, text=text))
        if (
            entry.status != "active"
            or self.is_over(entry)
            or (other is not None and other is not entry)
        ):
            with pytest.raises(RefusedError):
                self.store.update(entry.id, text=text)
        elif text != entry.text:
            self.store.update(entry.id, text=text)
            self.change(entry, text=text)

    @rule(chance=st.randoms(use_true_random=False))
    def delete(self, chance: st.DrawFn) -> None:
        entry = self.any_of(chance)
        if entry is None:
            return
        if entry.status == "deleted":
            with pytest.raises(RefusedError):
                self.store.delete(entry.id)
        else:
            self.store.delete(entry.id)
            self.change(entry, status="deleted")

    @rule(chance=st.randoms(use_true_random=False))
    def restore(self, chance: st.DrawFn) -> None:
        entry = self.any_of(chance, "active", "deleted", "expired")
        if entry is None or not entry.was:
            return
        back = replace(entry.was[-1], status="active")
        other = self.same(back)
        if (
            (entry.status == "active" and not self.is_over(entry))
            or (other is not None and other is not entry)
            or self.holder(back, but=entry) is not None
        ):
            with pytest.raises(RefusedError):
                self.store.restore(entry.id)
        else:
            self.store.restore(entry.id)
            expires = None if self.is_over(back) else back.expires
            self.change(entry, status="active", text=back.text, expires=expires)

    @rule()
    def expire(self) -> None:
        self.store.expire()
        for entry in self.held.values():
            if entry.status in ("active", "pending") and self.is_over(entry):
                self.change(entry, status="expired")

    @rule(days=st.integers(1, 5))
    def sleep(self, days: int) -> None:
        self.clock.sleep(days=days)

    @invariant()
    def what_is_found_is_what_is_in_use(self) -> None:
        used = {
            each.id: (each.text, each.scope, each.key, each.version)
            for each in self.held.values()
            if each.status == "active" and not self.is_over(each)
        }
        assert {m.id: (m.text, m.scope, m.key, m.version) for m in self.store.list()} == used
        kilns = {each for each, (text, *_) in used.items() if "kiln" in text}
        assert {hit.id for hit in self.store.search("kiln", limit=100)} == kilns
        waiting = {each.id for each in self.held.values() if each.status == "pending"}
        assert {each.memory.id for each in self.store.candidates()} == waiting

    def teardown(self) -> None:
        for entry in self.held.values():
            memory = self.store.get(entry.id, hidden=True)
            found = None if memory is None else (memory.status, memory.version)
            hidden = entry.status in ("pending", "rejected")
            assert found == (entry.status, entry.version) or hidden
            assert len(self.store.history(entry.id)) == entry.version

    def said(self, wanted: Entry, ttl: str | None) -> tuple[str, str]:
        span = None if ttl is None else timedelta(days=DAYS[ttl])
        result = self.store.add(
            wanted.text, scope=wanted.scope, key=wanted.key, type=KIND, ttl=span
        )
        return result.outcome, result.id

    def ends(self, ttl: str | None) -> datetime | None:
        return None if ttl is None else self.clock() + timedelta(days=DAYS[ttl])

    def is_over(self, entry: Entry) -> bool:
        over = entry.expires is not None and entry.expires <= self.clock()
        return over and entry.status != "rejected"

    def same(self, wanted: Entry) -> Entry | None:
        named = (wanted.words, wanted.scope, wanted.key)
        for each in self.held.values():
            if each.status in STANDING and (each.words, each.scope, each.key) == named:
                return each
        return None

    def same_words(self, wanted: Entry) -> Entry | None:
        found = [e for e in self.held.values() if e.status == "active" and e.words == wanted.words]
        return min(found, key=lambda each: each.number, default=None)

    def holder(self, wanted: Entry, but: Entry | None = None) -> Entry | None:
        """Who has the key that is wanted."""
        for each in self.held.values():
            named = (each.scope, each.key) == (wanted.scope, wanted.key)
            in_use = each.status == "active" and not self.is_over(each)
            if wanted.key and named and in_use and each is not but and each is not wanted:
                return each
        return None

    def hold(self, wanted: Entry, found: str) -> None:
        assert found not in self.held
        self.held[found] = replace(wanted, id=found, number=len(self.held), was=[])
        self.note(self.held[found])

    def change(self, entry: Entry, **fields: object) -> None:
        for name, value in fields.items():
            setattr(entry, name, value)
        entry.version += 1
        self.note(entry)

    def note(self, entry: Entry) -> None:
        if entry.status == "active":
            entry.was.append(replace(entry, was=[]))

    def any_of(self, chance: st.DrawFn, *statuses: str) -> Entry | None:
        found = [e for e in self.held.values() if not statuses or e.status in statuses]
        return chance.choice(found) if found else None  # type: ignore[attr-defined]


QUESTIONS = st.sampled_from(["tide", "kiln", "rain", "moon"])
PROVIDERS = st.sampled_from(["wikipedia", "arxiv"])
LIMIT = 6000  # bytes: some of what is put has to make room
ROW = 300  # bytes that a row counts besides its texts


@dataclass
class Answer:
    """What a dictionary has of an answer."""

    provider: str
    response: str
    created: datetime
    expires: datetime | None
    used: datetime


class AnyAnswers(RuleBasedStateMachine):
    """Answers come, are asked for, run out, are pushed out, while the clock goes on, or back."""

    db: Database  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.cache = RemoteCache(self.db, self.clock, LIMIT)
        self.cache.purge(everything=True)
        self.held: dict[str, Answer] = {}

    @rule(
        provider=PROVIDERS,
        question=QUESTIONS,
        size=st.integers(0, 1100),
        hours=st.sampled_from([None, 1, 48]),
    )
    def put(self, provider: str, question: str, size: int, hours: int | None) -> None:
        response, now = "x" * size, self.clock()
        ttl = None if hours is None else timedelta(hours=hours)

        self.cache.put(provider, question, response, ttl)

        key = cache_key(provider, question)
        expires = None if ttl is None else now + ttl
        self.held[key] = Answer(provider, response, now, expires, now)
        self.make_room(key)

    @rule(provider=PROVIDERS, question=QUESTIONS)
    def get(self, provider: str, question: str) -> None:
        answer = self.held.get(cache_key(provider, question))
        fresh = answer is not None and self.is_fresh(answer)

        assert self.cache.get(provider, question) == (answer.response if answer and fresh else None)

        if answer and fresh and to_text(answer.used)[:13] < to_text(self.clock())[:13]:
            answer.used = self.clock()

    @rule(provider=PROVIDERS, question=QUESTIONS)
    def look(self, provider: str, question: str) -> None:
        answer = self.held.get(cache_key(provider, question))

        found = self.cache.look(provider, question)

        assert (found and (found.response, found.fresh)) == (
            answer and (answer.response, self.is_fresh(answer))
        )

    @rule(provider=PROVIDERS, question=QUESTIONS)
    def renew(self, provider: str, question: str) -> None:
        answer = self.held.get(cache_key(provider, question))

        assert self.cache.renew(provider, question, timedelta(hours=1)) == (answer is not None)

        if answer is not None:
            answer.created = answer.used = self.clock()
            answer.expires = self.clock() + timedelta(hours=1)

    @rule(provider=PROVIDERS, question=QUESTIONS)
    def forget(self, provider: str, question: str) -> None:
        gone = self.held.pop(cache_key(provider, question), None)

        assert self.cache.forget(provider, question) == (gone is not None)

    @rule()
    def purge(self) -> None:
        now = self.clock()
        kept = {
            key: answer
            for key, answer in self.held.items()
            if answer.created <= now and (answer.expires is None or answer.expires > now)
        }

        assert self.cache.purge() == len(self.held) - len(kept)

        self.held = kept

    @rule(provider=PROVIDERS)
    def purge_provider(self, provider: str) -> None:
        kept = {key: each for key, each in self.held.items() if each.provider != provider}

        assert self.cache.purge(provider=provider) == len(self.held) - len(kept)

        self.held = kept

    @rule(hours=st.sampled_from([-30, -1, 1, 2, 50]))
    def set_the_clock(self, hours: int) -> None:
        self.clock.sleep(hours=hours)

    @invariant()
    def what_is_counted_is_what_is_held(self) -> None:
        stats = self.cache.stats()
        fresh = sum(map(self.is_fresh, self.held.values()))
        assert (stats.entries, stats.fresh) == (len(self.held), fresh)
        assert stats.bytes == sum(map(size_of, self.held.values()))
        assert {entry.cache_key for entry in self.cache.entries()} == set(self.held)

    def is_fresh(self, answer: Answer) -> bool:
        now = self.clock()
        return answer.created <= now and (answer.expires is None or now < answer.expires)

    def make_room(self, kept: str) -> None:
        """From the last used on, as many as fit; what has just come stays in any case."""
        filled, fitting = 0, set[str]()
        for key in sorted(self.held, key=lambda k: (to_text(self.held[k].used), k), reverse=True):
            filled += size_of(self.held[key])
            if filled <= LIMIT or key == kept:
                fitting.add(key)
        self.held = {key: self.held[key] for key in fitting}


def test_after_any_sequence_of_calls_memory_is_what_a_dictionary_says(db: Database) -> None:
    AnyMemories.db = db

    run_state_machine_as_test(AnyMemories, settings=short(db, 25, 15))


def test_after_any_sequence_of_calls_the_cache_is_what_a_dictionary_says(db: Database) -> None:
    AnyAnswers.db = db

    run_state_machine_as_test(AnyAnswers, settings=short(db, 40, 20))


@pytest.mark.parametrize("decision", ["none", "rejected"])
def test_words_that_were_proposed_do_not_come_in_under_a_key_that_is_taken(
    db: Database, decision: str
) -> None:
    store = MemoryStore(db)
    proposed = store.propose("the kiln is blue", key="kiln", scope="team")
    store.add("the kiln is red", key="kiln", scope="team")
    if decision == "rejected":
        store.reject(proposed.id)

    with pytest.raises(RefusedError, match="key 'kiln' is memory"):
        store.add("the kiln is blue", key="kiln", scope="team")

    assert [memory.text for memory in store.list()] == ["the kiln is red"]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("machine", [AnyMemories, AnyAnswers])
def test_after_any_long_sequence_of_calls_it_is_what_a_dictionary_says(
    db: Database, machine: type[AnyMemories | AnyAnswers]
) -> None:
    machine.db = db

    run_state_machine_as_test(machine, settings=short(db, 1000, 60))


def short(db: Database, examples: int, steps: int) -> settings:
    """A server takes longer for each of the many small questions; the short form has no luck."""
    return settings(
        derandomize=examples <= 100,
        max_examples=examples if db.engine == "sqlite" or examples > 100 else examples // 4,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def size_of(answer: Answer) -> int:
    return len(msgspec.json.encode(answer.response)) + ROW
