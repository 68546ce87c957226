"""Where a person is signed in and by what they prove who they are: an administrator sees and ends it, and is told no secret."""

from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.problems import invalid
from agentiam.api.serializers import RequiredReason, Told
from agentiam.api.viewsets import ResourceViewSet, operation
from directory.models import User
from directory.selectors import factor_name, second_factors_of, sessions_of
from directory.services.ways_in import end_sessions, reset_second_factors

RIGHT: Final = "change_user"
"""Also to look: an address is where somebody is, and a missing second factor is whom to attack."""
MOST: Final = 200


class SessionTold(Told):
    """One session; its key is a secret."""

    id = serializers.IntegerField(allow_null=True, help_text="Null for one that no sign-in recorded.")
    address = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_null=True, help_text="What the browser says of itself.")
    since = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField()


class SessionsTold(Told):
    """A person's sessions."""

    count = serializers.IntegerField(help_text="Of all of them.")
    items = SessionTold(many=True, help_text=f"Those that end last first; {MOST} at most.")


class SecondFactorTold(Told):
    """One second factor, without its secret."""

    kind = serializers.ChoiceField(choices=Authenticator.Type.choices)
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class SecondFactorsTold(Told):
    """A person's second factors; the recovery codes are one."""

    items = SecondFactorTold(many=True)


class PersonSessions(ResourceViewSet):
    """What a viewset of people has besides for their sessions and second factors."""

    @extend_schema(responses=SessionsTold, filters=False, summary="Tell where a person is signed in")
    @action(detail=True, methods=["get"], pagination_class=None)
    def sessions(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell where a person is signed in."""
        found = sorted(sessions_of(self._person(), self.now), key=lambda each: each.expire_date, reverse=True)
        keys = [each.session_key for each in found[:MOST]]
        records = {each.session_key: each for each in UserSession.objects.filter(session_key__in=keys)}
        items = [_told(each.expire_date, records.get(each.session_key)) for each in found[:MOST]]
        return Response(SessionsTold({"count": len(found), "items": items}).data)

    @extend_schema(responses=SecondFactorsTold, filters=False, summary="Tell a person's second factors")
    @action(detail=True, methods=["get"], url_path="second-factors", url_name="second-factors", pagination_class=None)
    def second_factors(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell by what a person proves who they are besides a password."""
        items = [
            {
                "kind": factor.type,
                "name": factor_name(factor),
                "created_at": factor.created_at,
                "last_used_at": factor.last_used_at,
            }
            for factor in second_factors_of(self._person())
        ]
        return Response(SecondFactorsTold({"items": items}).data)

    @operation("sessions/end", right=RIGHT, takes=RequiredReason, summary="End all of a person's sessions")
    def end_sessions(self, person: User, given: dict[str, Any]) -> Any:
        """End all of a person's sessions; their keys stay."""
        end_sessions(person=person, **self.why(given))
        return person

    @operation("second-factors/reset", right=RIGHT, takes=RequiredReason, summary="Remove a person's second factors")
    def reset_second_factors(self, person: User, given: dict[str, Any]) -> Any:
        """Remove a person's second factors and end their sessions; not one's own, nor a more powerful person's."""
        reset_second_factors(person=person, **self.why(given))
        return person

    def _person(self) -> User:
        """Answer the person of the address to whoever may look."""
        if unknown := set(self.request.query_params):
            raise invalid({name: ["There is no such parameter."] for name in unknown})
        person: User = self.get_object()
        self.require(RIGHT, person)
        return person


def _told(ends_at: Any, record: UserSession | None) -> dict[str, Any]:
    if record is None:
        return {"id": None, "address": None, "user_agent": None, "since": None, "ends_at": ends_at}
    known = {"id": record.pk, "address": record.ip, "user_agent": record.user_agent, "since": record.created_at}
    return {**known, "ends_at": ends_at}
