"""An issuer is one organization's, under its own path; the address without a path is the issuer of one organization alone.

Were it everybody's, one organization's tokens could be taken for another's: who checks a token knows an issuer and an audience,
and not whose agent it is.
"""

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from directory.models import Organization

_UNDER: Final = "/o/"


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer: the organization, and the exact text by which it is known."""

    organization: Organization
    url: str

    @property
    def own_resource(self) -> str:
        """The audience that stands for agentiam itself: the decision endpoints and the management API."""
        return settings.BASE_URL

    def endpoint(self, name: str) -> str:
        """The address of one of its endpoints."""
        return f"{self.url}/oauth/{name}"

    @property
    def names(self) -> frozenset[str]:
        """What a client assertion may be made out to: the issuer, or the token endpoint (RFC 7523, section 3)."""
        return frozenset({self.url, self.endpoint("token")})


def issuers_of(organization: Organization) -> tuple[Issuer, ...]:
    """List the issuers that an organization has: its own path, and the bare address if that is its."""
    own = Issuer(organization, f"{settings.BASE_URL}{_UNDER}{organization.slug}")
    bare = organization_without_path()
    return (own, Issuer(organization, settings.BASE_URL)) if bare is not None and bare.pk == organization.pk else (own,)


def issuer_at(slug: str | None) -> Issuer | None:
    """Find the issuer of an organization that is active, by its slug, or the one without a path."""
    if slug is None:
        bare = organization_without_path()
        active = bare is not None and bare.state == Organization.State.ACTIVE
        return Issuer(bare, settings.BASE_URL) if bare is not None and active else None
    found = Organization.objects.filter(slug=slug, state=Organization.State.ACTIVE).first()
    return None if found is None else Issuer(found, f"{settings.BASE_URL}{_UNDER}{found.slug}")


def organization_without_path() -> Organization | None:
    """Find whose issuer the bare address is: the one that AGENTIAM_ISSUER_ORGANIZATION names, else the first that was made.

    That never changes by itself: organizations are not deleted, and one that is suspended is not followed by another.
    """
    if settings.ISSUER_ORGANIZATION:
        return Organization.objects.filter(slug=settings.ISSUER_ORGANIZATION).first()
    return Organization.objects.order_by("created_at", "pk").first()
