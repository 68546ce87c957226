"""A user name is looked for over all organizations, so one that looks like an address is of its own organization's names.

Otherwise whoever adds people in one organization could give them what somebody of another signs in with.
"""

from django.db.models import Q

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Invalid
from directory.models import Organization, User


class ForeignUserName(Invalid):
    """The user name is an address that is not of the organization's names."""

    field = "username"


def domain_of(name: str) -> str:
    """Take what stands behind the last ``@`` of a name, in small letters; empty where there is none."""
    return name.rpartition("@")[2].lower() if "@" in name else ""


def require_own_user_name(organization: Organization, username: str, *, by: Actor) -> None:
    """Refuse a user name with ``@`` that does not end in the organization's slug or trust domain; raises ForeignUserName.

    The system, which knows whose an address is, names people by any that is of no other organization's trust domain or slug.
    What is said to others is the same whether somebody has the name or not.
    """
    if "@" not in username or _is_own(organization, username):
        return
    if by.kind != "system":
        raise ForeignUserName(
            f"A user name with @ ends in @{organization.slug} or @{organization.trust_domain}.",
            remedy="Give another, or invite the person: whoever accepts signs in by the address that was invited.",
        )
    if _is_anothers(organization, username):
        raise ForeignUserName("This user name ends in another organization's slug or trust domain.", remedy="Give another.")


def user_name_for(organization: Organization, address: str, *, proved: bool) -> str:
    """Take an address as a user name, with the organization's slug where it is not proved, or is another organization's."""
    free = _is_own(organization, address) or (proved and not _is_anothers(organization, address))
    if free and not User.objects.filter(username=address).exists():
        return address
    return f"{address}@{organization.slug}"


def _is_own(organization: Organization, name: str) -> bool:
    return domain_of(name) in {organization.slug.lower(), organization.trust_domain}


def _is_anothers(organization: Organization, name: str) -> bool:
    domain = domain_of(name)
    others = Organization.objects.exclude(pk=organization.pk)
    return others.filter(Q(slug__iexact=domain) | Q(trust_domain=domain)).exists()
