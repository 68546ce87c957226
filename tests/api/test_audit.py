"""The log over the API: read, exported and proved, by those who may; jobs seen and run again."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from agentiam.jobs.models import Job
from audit.export import reading
from audit.models import Event
from audit.services import sign_checkpoint
from tests.factories import make_agent


@pytest.fixture
def happened(as_, agent):
    """Stop an agent for a moment, so that the log has something of its own."""
    as_("alice").post(f"agents/{agent.pk}/suspend", {"reason": "drill"})
    as_("alice").post(f"agents/{agent.pk}/resume", {"reason": "over"})
    return Event.objects.get(type="agent.suspended")


def streamed(answer):
    """Read a stream to its end, as a server does."""
    import asyncio

    async def collect():
        try:
            return b"".join([chunk async for chunk in answer.streaming_content])
        finally:
            # The thread that read the pages lives on, and with it its connection.
            await sync_to_async(connections.close_all)()

    return asyncio.run(collect())


def test_an_auditor_reads_what_happened_and_who_did_it(as_, happened):
    shown = as_("carol").get("events?type=agent.suspended").json()["items"]
    assert [each["id"] for each in shown] == [str(happened.pk)]
    assert shown[0]["actor"]["id"] == "alice"
    assert shown[0]["reason"] == "drill"
    assert shown[0]["record"] == json.loads(happened.body)
    assert as_("carol").get(f"events/{happened.pk}").json() == shown[0]


def test_a_misspelt_type_is_not_taken_for_an_empty_log(as_, happened):
    answer = as_("carol").get("events?type=agent.suspendet")
    assert answer.status_code == 422
    detail = "There is no event type 'agent.suspendet'; did you mean agent.suspended?"
    assert answer.json()["errors"] == [{"pointer": "/type", "detail": detail}]
    assert as_("carol").get("events?type=agent.retired").json()["items"] == []


@pytest.mark.parametrize("who", ["bob", "olivia", "dave", "agent", "application", "mallory"])
def test_who_is_no_auditor_reads_nothing(as_, happened, who):
    caller = as_(who)
    assert str(happened.pk) not in caller.get("events").content.decode()
    assert caller.get(f"events/{happened.pk}").status_code == 404
    assert caller.get("checkpoints").json()["items"] == [] or who == "mallory"
    if who != "mallory":
        assert caller.post("events/export", {"format": "jsonl"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_who_audits_elsewhere_exports_nothing_of_ours(as_, happened, monkeypatch):
    monkeypatch.setattr(reading, "SETTLING", timedelta(seconds=-5))
    exported = streamed(as_("mallory").post("events/export", {"format": "jsonl"}))
    assert b"evil" in exported
    assert str(happened.pk).encode() not in exported


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_changes_an_event(as_, happened, method):
    for path in ("events", f"events/{happened.pk}"):
        assert as_("alice")(method, path, {}).status_code == 405
    assert Event.objects.filter(pk=happened.pk, hash=happened.hash).exists()


def test_the_log_is_narrowed_by_time_and_actor(as_, happened):
    carol = as_("carol")
    instant = happened.at.isoformat().replace("+", "%2B")
    assert carol.get("events?since=2999-01-01T00:00:00Z").json()["items"] == []
    assert carol.get(f"events?until={instant}&type=agent.suspended").json()["items"] == []
    assert carol.get("events?actor=alice&target=runner").json()["items"]
    assert carol.get("events?effect=deny").json()["items"] == []
    assert carol.get("events?q=drill").status_code == 422
    assert carol.get("events?since=yesterday").status_code == 422


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["jsonl", "csv", "ocsf", "ocsf-1.8", "cef"])
def test_an_export_is_a_stream_and_an_event(as_, happened, form, monkeypatch):
    monkeypatch.setattr(reading, "SETTLING", timedelta(seconds=-5))
    answer = as_("carol").post("events/export", {"format": form, "types": ["agent.suspended"], "reason": "yearly"})
    assert answer.status_code == 200, answer.content
    assert "attachment" in answer["Content-Disposition"]
    assert b"runner" in streamed(answer)
    recorded = Event.objects.get(type="log.exported")
    assert (recorded.actor_id, recorded.reason) == ("carol", "yearly")
    assert answer["X-Agentiam-Export"] == str(recorded.pk)
    ended = json.loads(Event.objects.get(type="log.export_completed").body)["data"]
    assert ended == {"export": str(recorded.pk), "count": 1, "last": str(happened.pk)}


def test_an_export_is_never_answered_from_memory(as_, happened):
    answer = as_("carol").post("events/export", {"format": "csv"}, **{"Idempotency-Key": "0123456789abcdef"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:agentiam:problem:not-repeatable")
    assert not Event.objects.filter(type="log.exported").exists()


def test_an_export_of_what_cannot_be_is_refused_and_no_event(as_, happened):
    assert as_("carol").post("events/export", {"format": "xlsx"}).status_code == 422
    assert as_("carol").post("events/export", {"format": "csv", "types": ["no.such"]}).status_code == 422
    assert not Event.objects.filter(type="log.exported").exists()


def test_checkpoints_and_the_last_verification_are_shown(as_, happened, acme):
    from audit import watch

    assert as_("carol").get("integrity").json()["verified_at"] is None
    sign_checkpoint(acme.pk)
    shown = as_("carol").get("checkpoints").json()["items"]
    assert shown[0]["number"] == 1
    watch.verify_log(organization_id=acme.pk, now=timezone.now())
    found = as_("carol").get("integrity").json()
    assert (found["whole"], found["findings"]) == (True, 0)
    assert found["records"] > 0
    assert as_("bob").get("integrity").status_code == 403


def test_a_dead_job_is_seen_and_run_again_by_an_administrator_only(as_, acme, evil):
    dead = Job.objects.create(organization_id=acme.pk, task="directory.noop", state="dead", last_error="Boom")
    everywhere = Job.objects.create(organization_id=None, task="audit.verify", state="dead")
    assert [each["id"] for each in as_("alice").get("jobs?state=dead").json()["items"]] == [str(dead.pk)]
    assert as_("alice").get(f"jobs/{everywhere.pk}").status_code == 404
    assert as_("mallory").get(f"jobs/{dead.pk}").status_code == 404
    assert as_("carol").post(f"jobs/{dead.pk}/rerun", {"reason": "try"}).status_code == 403
    again = as_("alice").post(f"jobs/{dead.pk}/rerun", {"reason": "mended"})
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert Event.objects.get(target_id=str(dead.pk)).reason == "mended"


def test_versions_say_what_changed_field_by_field(as_, agent):
    alice = as_("alice")
    alice.patch(f"agents/{agent.pk}", {"name": "Other", "reason": "renamed"})
    shown = alice.get(f"agents/{agent.pk}/versions").json()
    newest = shown["items"][0]
    assert (newest["by"]["external_id"], newest["reason"], newest["kind"]) == ("alice", "renamed", "changed")
    assert {"field": "name", "before": "Runner", "after": "Other"} in newest["changes"]
    assert shown["items"][-1]["kind"] == "created"
    assert shown["next"] is None
    assert as_("mallory").get(f"agents/{agent.pk}/versions").status_code == 404
    assert alice.get(f"agents/{agent.pk}/versions?after=x").status_code == 422
    assert alice.get(f"agents/{agent.pk}/versions?page=2").status_code == 422


def test_versions_are_paged(as_, agent, monkeypatch):
    monkeypatch.setattr("agentiam.api.versions.PAGE", 5)
    alice = as_("alice")
    for number in range(7):
        alice.patch(f"agents/{agent.pk}", {"name": f"Name {number}"})
    first = alice.get(f"agents/{agent.pk}/versions").json()
    rest = alice.get(f"agents/{agent.pk}/versions?after={first['next']}").json()
    numbers = [each["number"] for each in (*first["items"], *rest["items"])]
    assert numbers == sorted(set(numbers), reverse=True)
    assert first["items"][-1]["changes"], "the last of a page is compared with the first of the next"
    assert rest["next"] is None


def test_no_secret_is_in_a_version(as_, agent):
    issued = as_("alice").post("credentials", {"agent": str(agent.pk), "label": "main"}).json()
    text = as_("alice").get(f"credentials/{issued['id']}/versions").content.decode()
    assert issued["secret"] not in text
    assert "digest" not in text
    make_agent(agent.organization, "other", owner=agent.owner)
    assert '"password"' not in as_("alice").get(f"people/{agent.owner_id}/versions").content.decode()
