"""Where the decision endpoints are: the metadata of the policy decision point (AuthZEN 1.0, section 9)."""

import re
from typing import Any, Final

from django.conf import settings

from agentiam.kit.problems import Problem
from directory.models import Organization

_SLUG: Final = re.compile(r"/[-a-zA-Z0-9_]{1,63}")
WELL_KNOWN: Final = "/.well-known/authzen-configuration"


def metadata(path: str) -> dict[str, Any]:
    """Describe the decision point, or an organization's; raises a 404 problem for an organization that is not there."""
    tenant = path[len(WELL_KNOWN) :]
    if tenant and not _SLUG.fullmatch(tenant):
        raise Problem(404, "not-found", "There is no such organization.")
    if tenant and not Organization.objects.filter(slug=tenant[1:], state=Organization.State.ACTIVE).exists():
        raise Problem(404, "not-found", f"There is no {path}.")
    base = settings.BASE_URL.rstrip("/")
    return {
        "policy_decision_point": f"{base}{tenant}",
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
        "supported_obligations": ["custom"],
    }
