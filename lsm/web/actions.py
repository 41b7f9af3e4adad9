"""What a person does in the browser: each a POST of JSON to ``/act/NAME``, and one method here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from lsm.agents.schedules import Schedule, trigger_from
from lsm.errors import InvalidError, NotFoundError
from lsm.web.site import body_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from lsm.web.site import Site


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a button or a form sends."""

    id: str = ""
    text: str = ""
    type: str = ""
    scope: str = ""
    tags: str = ""
    source: str = ""
    days: str = ""  # how long to remember
    reason: str = ""
    into: str = ""
    version: int = 0
    path: str = ""
    agent: str = ""
    every: str = ""
    cron: str = ""
    tz: str = "UTC"
    provider: str = ""


class Done(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the page says afterwards, and where it goes."""

    said: str
    then: str = ""


def routes(site: Site) -> list[BaseRoute]:
    """Of everything that changes something."""
    actions = Actions(site)
    names: dict[str, Callable[[Act], Done]] = {
        name.replace("_", "-"): getattr(actions, name)
        for name in vars(Actions)
        if not name.startswith("_")
    }

    async def act(request: Request) -> Response:
        name: str = request.path_params["name"]
        if name not in names:
            raise NotFoundError("action", name)
        given = await body_in(request, Act)
        done = await run_in_threadpool(names[name], given)
        site.lately.forget()
        return Response(msgspec.json.encode(done), media_type="application/json")

    return [Route("/act/{name}", act, methods=["POST"])]


class Actions:
    """Each public method is an action; its name, with hyphens, is part of its address."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._mind = site.mind

    # -- memory ----------------------------------------------------------------------------

    def promote(self, act: Act) -> Done:
        """Make a candidate a memory, perhaps in other words or in another's place."""
        changes = _given(text=act.text, type=act.type, scope=act.scope, tags=_tags(act))
        self._mind.memories.promote(act.id, into=act.into or None, reason=act.reason, **changes)
        return Done("Promoted: it is remembered now.")

    def reject(self, act: Act) -> Done:
        """Refuse a candidate."""
        self._mind.memories.reject(act.id, reason=act.reason)
        return Done("Rejected: the same words will not be proposed again.")

    def remember(self, act: Act) -> Done:
        """Remember something."""
        fields = _given(type=act.type, scope=act.scope, tags=_tags(act), source=act.source)
        if act.days:
            if not act.days.isdecimal() or not 0 < int(act.days[:6]) <= 36_500:
                raise InvalidError("days", "must be a number from 1 to 36500")
            fields["ttl"] = timedelta(days=int(act.days[:6]))
        result = self._mind.memories.add(act.text, **fields)
        said = "Remembered." if result.outcome == "added" else "That is known already."
        return Done(said, f"/memory/{result.id}")

    def edit(self, act: Act) -> Done:
        """Change the words of a memory."""
        changes = _given(text=act.text, tags=_tags(act))
        expected = act.version or None
        self._mind.memories.update(act.id, expect_version=expected, reason=act.reason, **changes)
        return Done("Changed; what it was stays in its history.")

    def delete(self, act: Act) -> Done:
        """Take a memory out of use."""
        self._mind.memories.delete(act.id, reason=act.reason)
        return Done("Deleted; it can be restored.")

    def restore(self, act: Act) -> Done:
        """Bring a memory back, or an earlier version of it."""
        self._mind.memories.restore(act.id, version=act.version or None, reason=act.reason)
        return Done("Restored.")

    def confirm(self, act: Act) -> Done:
        """Say that a stale memory is true all the same."""
        self._mind.memories.confirm(act.id, reason=act.reason)
        return Done("Confirmed.")

    # -- schedules -------------------------------------------------------------------------

    def schedule(self, act: Act) -> Done:
        """Add a schedule."""
        self._mind.agency.check_agent(act.agent, {})
        trigger = trigger_from(act.every.strip(), act.cron.strip(), "", act.tz.strip() or "UTC")
        row = self._site.scheduler.add(Schedule(agent=act.agent, trigger=trigger))
        return Done("Scheduled.", f"/schedules/{row.schedule_id}")

    def run(self, act: Act) -> Done:
        """Run a schedule as soon as possible."""
        run = self._site.scheduler.run_now(act.id)
        waits = "" if self._site.runs_schedules else " It starts once a scheduler runs."
        return Done(f"Started.{waits}", f"/runs/{run.run_id}")

    def pause(self, act: Act) -> Done:
        """No further runs."""
        self._site.scheduler.pause(act.id)
        return Done("Paused; what runs goes on.")

    def resume(self, act: Act) -> Done:
        """Go on, from now."""
        self._site.scheduler.resume(act.id)
        return Done("Resumed.")

    def cancel(self, act: Act) -> Done:
        """Cancel a run."""
        self._site.scheduler.cancel(act.id)
        return Done("Cancelled.")

    # -- library ---------------------------------------------------------------------------

    def add_root(self, act: Act) -> Done:
        """Read a folder from now on, beginning at once."""
        path = act.path.strip()
        if not path.startswith(("/", "~")):
            raise InvalidError("path", "must begin with / or ~")
        self._mind.add_root(path)
        self._site.ingesting.start([path])
        return Done("Added; it is being read.", "/library")

    def ingest(self, act: Act) -> Done:
        """Read what is new or changed."""
        self._site.ingesting.start([act.path] if act.path else [])
        return Done("Reading what is new.")

    def stop_ingest(self, _: Act) -> Done:
        """Stop the ingest that runs."""
        self._site.ingesting.stop()
        return Done("Stopping after what is at hand.")

    # -- sources ---------------------------------------------------------------------------

    def purge_cache(self, act: Act) -> Done:
        """Delete kept answers: a provider's, or those past their time."""
        count = self._mind.cache.purge(provider=act.provider or None)
        return Done(f"{count:,} kept answers deleted.")


def _given(**values: Any) -> Any:
    """Those of *values* that say something."""
    return {name: value for name, value in values.items() if value}


def _tags(act: Act) -> list[str]:
    return [tag for tag in act.tags.replace(",", " ").split() if tag]
