"""Only active people sign in and stay signed in: an agent's account never is, whatever is known of it."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db.models import Q
from django.http import HttpRequest

from directory.models import User
from directory.services.user_names import domain_of


class PersonBackend(ModelBackend):
    """User name or e-mail address, and password; and the account of each request's session."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Find the active person whose password this is; an unknown name costs as much as a known one."""
        if not username or password is None:
            return None
        user = find_account(username)
        if user is None:
            work_in_vain(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user: Any) -> bool:
        """Tell whether an account may sign in; asked at every request, so a session ends with the right to have one."""
        return isinstance(user, User) and may_sign_in(user)


def may_sign_in(user: User) -> bool:
    """Tell whether an account may sign in, by any way: an active person's."""
    return user.is_person and user.is_active


def owes_password(user: User) -> bool:
    """Tell whether somebody used up a one-time password and has not chosen another yet."""
    return user.password_is_temporary and not user.has_usable_password()


def work_in_vain(password: str) -> None:
    """Do the work of one password for nothing, so that the time says nothing of who is there."""
    User().set_password(password)


def find_account(name: str) -> User | None:
    """Find the one account that somebody tries to sign in to; what other organizations write of their people changes nothing.

    An address signs in whom the organization has that the domain belongs to (its trust domain), else whoever has it as the
    user name, else whoever accepted an invitation that was mailed to it: an address that an administrator wrote proves nothing.
    """
    named = User.objects.filter(username=name).select_related("organization").first()
    if "@" not in name:
        return named
    domain = domain_of(name)
    own = _of_address(name, Q(organization__trust_domain=domain))
    proved = _of_address(name, Q(invitation__accepted_at__isnull=False, invitation__email__iexact=name))
    # Who came by a provider's word has no password, and has proved the address to nobody but their own organization.
    proved = [person for person in proved if person.has_usable_password() and _same(person.invitation.email, name)]
    if named is not None and named.organization.trust_domain == domain:
        return named
    if len(own) == 1:
        return own[0]
    if named is None and len(proved) == 1:
        return proved[0]
    return named


def _of_address(name: str, whose: Q) -> list[User]:
    """Find the active people with an address; letters that a database takes for the same, and mail does not, are told apart."""
    people = User.objects.people().active().filter(whose, email__iexact=name).select_related("organization", "invitation")
    return [person for person in people if _same(person.email, name)]


def _same(address: str, name: str) -> bool:
    return address == name or (address.isascii() and name.isascii() and address.lower() == name.lower())
