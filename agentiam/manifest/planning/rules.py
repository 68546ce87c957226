"""Guardrails, and trusts between organizations."""

from collections.abc import Iterable
from functools import partial

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences
from agentiam.manifest.present import Standing, guardrail_of, instants_ahead
from agentiam.manifest.settling import settled_guardrail, settled_trust
from directory.models import Organization
from permissions.services.guardrails import InForce, Wording, draft_guardrail, publish_guardrail, withdraw_guardrail
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust


def plan_guardrails(plan: Plan, wanted: Iterable[documents.Guardrail]) -> None:
    """Plan to draft, publish and withdraw guardrails; one that is not wanted is withdrawn."""
    listed = set()
    for index, part in enumerate(wanted):
        path: Path = ("guardrails", index)
        guardrail = settled_guardrail(part)
        listed.add(guardrail.id)
        present = plan.present.guardrails.get(guardrail.id)
        if present is None:
            plan.change("create", "guardrail", guardrail.id, created(guardrail, besides=["id"]))
            _plan_wording(plan, guardrail, path)
        elif changed := differences(present, guardrail):
            plan.change("update", "guardrail", guardrail.id, changed)
            _plan_guardrail(plan, guardrail, path, only_state=changed.keys() == {"state"})
    for name in sorted(plan.present.guardrails.keys() - listed) if plan.prune else ():
        state = plan.present.guardrails[name].state
        # A draft decides nothing, and is nobody's but its author's.
        if state != "draft":
            plan.change("end", "guardrail", name, {"state": (state, "withdrawn")})
            plan.step(Phase.GUARDRAILS, ("guardrails",), partial(_withdraw, name))


def _plan_guardrail(plan: Plan, guardrail: documents.Guardrail, path: Path, *, only_state: bool) -> None:
    standing: Standing = plan.present.rows["guardrails"][guardrail.id]
    if guardrail.state == "draft":
        if standing.in_force is not None:
            plan.step(Phase.GUARDRAILS, path, partial(_withdraw, guardrail.id))
        if _drafted(standing) != guardrail:
            plan.step(Phase.GUARDRAILS, path, partial(_draft, guardrail))
    elif only_state and standing.draft is None and standing.in_force is not None:
        plan.step(Phase.GUARDRAILS, path, partial(_publish_again, guardrail, standing.in_force.number))
    else:
        _plan_wording(plan, guardrail, path)


def _drafted(standing: Standing) -> documents.Guardrail | None:
    return None if standing.draft is None else guardrail_of(standing.guardrail, standing.draft)


def _plan_wording(plan: Plan, guardrail: documents.Guardrail, path: Path) -> None:
    plan.step(Phase.GUARDRAILS, path, partial(_draft if guardrail.state == "draft" else _publish, guardrail))


def _wording(wanted: documents.Guardrail, hand: Hand) -> Wording:
    return Wording(
        effect=wanted.effect,
        resource_type=None if wanted.type is None else hand.rows["types"][wanted.type],
        actions=wanted.actions,
        when=wanted.when,
        fields=wanted.fields,
        data_classes=wanted.data_classes,
        reason=wanted.reason,
    )


def _draft(wanted: documents.Guardrail, hand: Hand) -> None:
    draft_guardrail(
        organization=hand.organization,
        external_id=wanted.id,
        name=wanted.name,
        wording=_wording(wanted, hand),
        **hand.acting,
    )


def _publish(wanted: documents.Guardrail, hand: Hand) -> None:
    draft = draft_guardrail(
        organization=hand.organization,
        external_id=wanted.id,
        name=wanted.name,
        wording=_wording(wanted, hand),
        **hand.acting,
    )
    publish_guardrail(guardrail=draft.guardrail, number=draft.number, state=_in_force(wanted), **hand.acting)


def _publish_again(wanted: documents.Guardrail, number: int, hand: Hand) -> None:
    standing: Standing = hand.rows["guardrails"][wanted.id]
    publish_guardrail(guardrail=standing.guardrail, number=number, state=_in_force(wanted), **hand.acting)


def _in_force(wanted: documents.Guardrail) -> InForce:
    return "report_only" if wanted.state == "report_only" else "published"


def _withdraw(name: str, hand: Hand) -> None:
    standing: Standing = hand.rows["guardrails"][name]
    withdraw_guardrail(guardrail=standing.guardrail, **hand.acting)


def plan_trusts(plan: Plan, wanted: Iterable[documents.Trust]) -> None:
    """Plan to propose and to end trusts; one that changes is ended and proposed anew, for the partner agreed to its words."""
    listed = set()
    for index, part in enumerate(wanted):
        path: Path = ("trusts", index)
        trust = settled_trust(part)
        name = trust.partner or trust.issuer
        listed.add(name)
        present = plan.present.trusts.get(name)
        if not instants_ahead(trust, now=plan.now):
            plan.notes.append(f"{plan.source.place(path)}: this trust is over, and left out.")
            continue
        if present is None:
            plan.change("create", "trust", name, created(trust, besides=["partner", "issuer"]))
        elif changed := differences(present, trust):
            plan.change("update", "trust", name, changed)
            plan.notes.append(f"trust/{name} is proposed anew: the partner has to agree again.")
        else:
            continue
        if name in plan.present.rows["trusts"]:
            plan.step(Phase.TRUSTS, path, partial(_end_trust, name))
        plan.step(Phase.TRUSTS, path, partial(_propose, trust))
    for name in sorted(plan.present.trusts.keys() - listed) if plan.prune else ():
        plan.change("end", "trust", name)
        plan.step(Phase.TRUSTS, ("trusts",), partial(_end_trust, name))


def plan_agreements(plan: Plan, wanted: Iterable[str]) -> None:
    """Plan to agree to what other organizations proposed, and to end what is not agreed to any more."""
    listed = set()
    for index, slug in enumerate(wanted):
        listed.add(slug)
        if slug in plan.present.agreements:
            continue
        if slug not in plan.present.rows["agreements"]:
            plan.notes.append(f"{slug} has proposed no trust; apply again once it has.")
            continue
        plan.change("create", "agreement", slug)
        plan.step(Phase.TRUSTS, ("agreements", index), partial(_agree, slug))
    for slug in sorted(plan.present.agreements - listed) if plan.prune else ():
        plan.change("end", "agreement", slug)
        plan.step(Phase.TRUSTS, ("agreements",), partial(_disagree, slug))


def _propose(wanted: documents.Trust, hand: Hand) -> None:
    terms = TrustTerms(agents=wanted.agents, types=wanted.types, data_classes=wanted.data_classes, ends_at=wanted.until)
    partner = Organization.objects.get(slug=wanted.partner) if wanted.partner else None
    propose_trust(
        organization=hand.organization,
        terms=terms,
        partner=partner,
        issuer=wanted.issuer,
        keys=wanted.keys,
        **hand.acting,
    )


def _end_trust(name: str, hand: Hand) -> None:
    end_trust(trust=hand.rows["trusts"][name], **hand.acting)


def _agree(slug: str, hand: Hand) -> None:
    agree_trust(trust=hand.rows["agreements"][slug], **hand.acting)


def _disagree(slug: str, hand: Hand) -> None:
    end_trust(trust=hand.rows["agreements"][slug], **hand.acting)
