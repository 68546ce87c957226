"""Keys of people over the API: with one, a script calls in its person's name."""

from datetime import datetime
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.callers import Proof
from agentiam.api.rights import WAYS_IN
from agentiam.api.secrets import SecretFilters, SecretIssued, SecretRotated, SecretTold, overlap_of
from agentiam.api.serializers import Named, Reason
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from agentiam.kit.problems import Problem
from directory.models import PersonKey, Scope, User
from directory.services.person_keys import issue_person_key, revoke_person_key, rotate_person_key


class PersonKeyTold(SecretTold):
    """A person's key."""

    user = Named()


class PersonKeyWithSecret(PersonKeyTold):
    """The one answer that holds the secret."""

    secret = serializers.CharField(read_only=True)


class PersonKeyIssued(SecretIssued, Reason):
    """A new key of one's own; to read, unless it says what else it is for."""

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), required=False, min_length=1, max_length=10
    )


class PersonKeyFilters(SecretFilters):
    """How the list of people's keys is narrowed."""

    user = django_filters.UUIDFilter(field_name="user_id")


class PersonKeyViewSet(VersionedViewSet):
    """Keys of people."""

    model = PersonKey
    told = PersonKeyTold
    related = ("user",)
    orders = ("id", "-id", "expires_at", "-expires_at")
    searched = ("label", "public_id")
    filterset_class = PersonKeyFilters
    scopes_for = {"rotate": WAYS_IN}

    @extend_schema(request=PersonKeyIssued, responses={201: PersonKeyWithSecret})
    def create(self, request: Any) -> Response:
        """Make a key of one's own, in a session: a key that makes keys would outlive whoever ends it."""
        self._require_session()
        given = self.given(PersonKeyIssued)
        why = self.why(given)
        key, token = issue_person_key(user=request.user, **given, **why)
        return self.created(key, more={"secret": token.text})

    @operation(
        "rotate", right="change_personkey", takes=SecretRotated, gives=PersonKeyWithSecret, status=201, summary="Replace a key"
    )
    def rotate(self, key: PersonKey, given: dict[str, Any]) -> Any:
        """Replace a key of one's own by another like it; a key replaces itself alone, and puts its end off no further."""
        if isinstance(self.request.auth, Proof):
            given["expires_at"] = self._end_by_itself(key, given.get("expires_at"))
        why = self.why(given)
        successor, token = rotate_person_key(key=key, overlap=overlap_of(given), **given, **why)
        return self.created(successor, more={"secret": token.text})

    @operation("revoke", right="change_personkey", summary="End a key at once")
    def revoke(self, key: PersonKey, given: dict[str, Any]) -> Any:
        """End a key at once, for good."""
        return revoke_person_key(key=key, **self.why(given))

    def _require_session(self) -> None:
        if isinstance(self.request.auth, Proof) or not isinstance(self.request.user, User):
            raise Problem(403, "session-needed", "Only a person who is signed in to the pages can make a key.")

    def _end_by_itself(self, key: PersonKey, wanted: datetime | None) -> datetime:
        if key.public_id != self.request.auth.key:
            raise Problem(403, "session-needed", "A key can replace itself; to replace another, sign in to the pages.")
        if wanted is not None and wanted > key.expires_at:
            raise Problem(403, "session-needed", "A key cannot put its end off; to do that, sign in to the pages.")
        return wanted or key.expires_at
