"""What a forged message cannot do: Celery's own tasks, which call what a message names, are not there."""

import pytest
from django.conf import settings

from agentiam import celery
from agentiam.celery import app, drop_foreign_tasks
from tests.jobs.conftest import RUNNERS, runners
from tests.jobs.tasks import TASKS

POSTGRESQL, SQLITE = "django.db.backends.postgresql", "django.db.backends.sqlite3"


@pytest.mark.parametrize("engine", [POSTGRESQL, SQLITE])
@pytest.mark.parametrize("ci", [True, False])
def test_with_redis_every_case_of_celery_exists(engine: str, ci: bool) -> None:
    assert runners(redis="redis://127.0.0.1:6379/0", engine=engine, ci=ci) == ["embedded", "celery"]


def test_without_redis_a_run_on_services_fails_where_it_counts() -> None:
    with pytest.raises(pytest.UsageError, match="Set REDIS_URL"):
        runners(redis="", engine=POSTGRESQL, ci=True)
    assert runners(redis="", engine=SQLITE, ci=True) == ["embedded"]
    assert runners(redis="", engine=POSTGRESQL, ci=False) == ["embedded"]


def test_the_cases_of_this_run_are_those_of_its_services() -> None:
    assert ("celery" in RUNNERS) is bool(settings.REDIS_URL)


def test_a_worker_has_the_product_s_tasks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = type(app.tasks)(app.tasks)
    assert "celery.map" in registry
    monkeypatch.setattr(celery, "app", type("App", (), {"tasks": registry}))
    drop_foreign_tasks()
    assert set(TASKS) <= set(registry)
    assert [name for name in registry if name.startswith("celery.")] == []


def test_messages_are_json_and_nobody_commands_a_worker() -> None:
    assert app.conf.accept_content == ["json"]
    assert not app.conf.worker_enable_remote_control
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.broker_transport_options["global_keyprefix"].startswith("agentiam:")
