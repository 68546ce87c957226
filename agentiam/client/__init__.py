"""What a Python resource server and an agent use with agentiam; stands on httpx and joserfc alone."""

from agentiam.client.agents import AgentClient, AsyncAgentClient
from agentiam.client.auth import AgentAuth, AsyncAgentAuth
from agentiam.client.credentials import ClientCredential, ClientSecretBasic, ClientSecretPost, PrivateKeyJwt
from agentiam.client.decisions import Decision
from agentiam.client.dpop import DpopKey
from agentiam.client.errors import (
    ClientFailure,
    DecisionDenied,
    NonceNeeded,
    ProofInvalid,
    Refused,
    RequestMalformed,
    ScopeInsufficient,
    TokenInvalid,
    TokenMissing,
    TokenRefused,
    Unavailable,
    WrongResource,
)
from agentiam.client.grants import IssuedToken
from agentiam.client.keys import Limits
from agentiam.client.metadata import protected_resource_metadata, protected_resource_metadata_url
from agentiam.client.obligations import Fields, Obligation, Obligations
from agentiam.client.replay import MemoryReplayGuard, Nonces, ReplayGuard
from agentiam.client.tokens import AccessToken
from agentiam.client.verification import ResourceServer

__all__ = [
    "AccessToken",
    "AgentAuth",
    "AgentClient",
    "AsyncAgentAuth",
    "AsyncAgentClient",
    "ClientCredential",
    "ClientFailure",
    "ClientSecretBasic",
    "ClientSecretPost",
    "Decision",
    "DecisionDenied",
    "DpopKey",
    "Fields",
    "IssuedToken",
    "Limits",
    "MemoryReplayGuard",
    "NonceNeeded",
    "Nonces",
    "Obligation",
    "Obligations",
    "PrivateKeyJwt",
    "ProofInvalid",
    "Refused",
    "ReplayGuard",
    "RequestMalformed",
    "ResourceServer",
    "ScopeInsufficient",
    "TokenInvalid",
    "TokenMissing",
    "TokenRefused",
    "Unavailable",
    "WrongResource",
    "protected_resource_metadata",
    "protected_resource_metadata_url",
]
