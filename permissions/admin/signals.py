"""Signs that somebody else has an agent's proofs, in the admin."""

from django.contrib import admin

from agentiam.kit.administration.records import RecordAdmin
from permissions.models import LastAddress, Signal


@admin.register(Signal)
class SignalAdmin(RecordAdmin):
    """What was seen, about which agent, and from where."""

    list_display = ("agent", "sign", "weight", "proven", "credential", "address", "at", "lapsed_at")
    listed_with = ("agent", "credential")
    list_filter = ("sign", "proven")
    searched = {"pk": "exact", "agent__external_id": "exact"}
    search_help_text = "The id, or the external id of the agent, whole."


@admin.register(LastAddress)
class LastAddressAdmin(RecordAdmin):
    """From where each credential was used last."""

    through = "credential"
    list_display = ("credential", "address", "used_at")
    listed_with = ("credential",)
