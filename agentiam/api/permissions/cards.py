"""Whether another's agent card is a trusted partner's: by the organization's own trusts, and nothing that the card brings."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.serializers import Given, Told
from agentiam.api.viewsets import ApiViewSet
from directory.models import Scope
from permissions.models import Trust
from permissions.selectors.cards import verify_card


class CardPresented(Given):
    """An A2A card with its signatures, as it came."""

    card = serializers.DictField()


class CardVerdictTold(Told):
    """Whether a trusted partner signed exactly this card; what it says is still only the partner's word."""

    genuine = serializers.BooleanField()
    partner = serializers.CharField(
        allow_null=True, help_text="Who vouches for the key: the trust domain of a partner here, the issuer of one elsewhere."
    )
    trust = serializers.UUIDField(
        allow_null=True, help_text="The trust that names the partner, for those who see it; null else."
    )
    kid = serializers.CharField(help_text="What the card calls the key that signed it.")
    problem = serializers.CharField(help_text="Why it is not genuine; empty if it is.")


class CardVerdictViewSet(ApiViewSet):
    """Verdicts on agent cards."""

    serializer_class = CardVerdictTold
    scopes = (Scope.READ.value,)
    never_repeated = ("create",)  # a trust may have ended

    @extend_schema(request=CardPresented, responses={200: CardVerdictTold}, summary="Check another's A2A card")
    def create(self, request: Any) -> Response:
        """Check a card's signatures against the keys of the trusts that stand; nothing is fetched, and nothing recorded."""
        card = self.given(CardPresented)["card"]
        verdict = verify_card(card, organization=self.organization, now=self.now)
        trust = verdict.trust
        told = {
            "genuine": verdict.genuine,
            "partner": None if trust is None else _partner(trust),
            "trust": None if trust is None else self._seen(trust),
            "kid": verdict.kid,
            "problem": verdict.problem,
        }
        return Response(CardVerdictTold(told).data)

    def _seen(self, trust: Trust) -> Any:
        return Trust.objects.visible_to(self.request.user).filter(pk=trust.pk).values_list("pk", flat=True).first()


def _partner(trust: Trust) -> str:
    return trust.issuer if trust.partner is None else trust.partner.trust_domain
