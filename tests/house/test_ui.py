import pytest
from django.template import Context, Template, TemplateSyntaxError

from agentiam.kit.templatetags.ui import EFFECTS


def render(source: str, **values: object) -> str:
    return Template("{% load ui %}" + source).render(Context(values))


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_decision_is_shape_and_word_and_no_two_are_alike(effect: str) -> None:
    text = render("{% effect name %}", name=effect)
    assert EFFECTS[effect] in text
    assert "<svg" in text
    shapes = {render("{% glyph name %}", name=name).replace(name, "") for name in EFFECTS}
    assert len(shapes) == len(EFFECTS)


@pytest.mark.parametrize(("name", "initials"), [("Alice Adams", "AA"), ("Ada", "A"), ("Jean Luc de Bois", "JB"), ("", "?")])
def test_a_person_is_a_circle_with_initials(name: str, initials: str) -> None:
    text = render("{% person name %}", name=name)
    assert f">{initials}<" in text
    assert "picture person" in text


@pytest.mark.parametrize("source", ["{% person x %}", "{% agent x %}", "{% resource x %}", "{% panel x %}{% endpanel %}"])
def test_a_name_is_escaped(source: str) -> None:
    assert "<b>" not in render(source, x="<b>")


def test_an_agent_differs_by_state() -> None:
    states = ["active", "suspended", "pending", "discovered", "retired"]
    assert len({render("{% agent 'x' state=state %}", state=state) for state in states}) == 5


def test_blocks_keep_markup_inside_and_escape_values() -> None:
    text = render("{% panel 'T' meta='m' %}<p>{{ value }}</p>{% endpanel %}", value="<i>")
    assert "<p>&lt;i&gt;</p>" in text
    assert "<h2>T</h2>" in text


@pytest.mark.parametrize("source", ["{% effect 'maybe' %}", "{% glyph 'maybe' %}", "{% notice kind='loud' %}{% endnotice %}"])
def test_an_unknown_kind_is_an_error_of_the_template(source: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        render(source)
