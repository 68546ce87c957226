"""The addresses under which everybody finds agent cards and the keys that they verify with."""

from django.urls import path

from directory.cards import views

app_name = "cards"
urlpatterns = [
    path(".well-known/agent-card-keys.json", views.agent_card_keys, name="agent-card-keys"),
    path("agents/<str:agent>/.well-known/agent-card.json", views.agent_card, name="agent-card"),
]
