from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from agentiam import urls


def fails(request: HttpRequest) -> HttpResponse:
    raise {"500": RuntimeError, "403": PermissionDenied, "404": Http404, "400": SuspiciousOperation}[request.GET["as"]](
        "hunter2"
    )


# The product's addresses and one that fails.
urlpatterns = [*urls.urlpatterns, path("fails/", fails)]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "cannot be understood"), (403, "You may not do this"), (404, "There is nothing here"), (500, "This page failed")],
)
def test_an_error_page_says_what_and_what_now_and_the_request(as_: Callable[..., Client], status: int, words: str) -> None:
    answer = as_("alice", raise_request_exception=False).get(f"/fails/?as={status}", headers={"X-Request-Id": "request-4711"})
    text = answer.content.decode()
    assert answer.status_code == status
    assert words in text
    assert "request-4711" in text
    assert "hunter2" not in text
    assert "Traceback" not in text
    assert "Content-Security-Policy" in answer.headers


def test_a_form_without_its_token_is_refused_with_a_way_out(as_: Callable[..., Client]) -> None:
    answer = as_("alice", enforce_csrf_checks=True).post("/logout/")
    assert answer.status_code == 403
    assert "The form was not accepted" in answer.content.decode()


def test_an_unknown_address_tells_strangers_no_more_than_members(as_: Callable[..., Client]) -> None:
    pages = [as_(who).get("/agents/1/", headers={"X-Request-Id": "request-4711"}).content for who in ("alice", "anonymous")]
    assert pages[0] == pages[1]
