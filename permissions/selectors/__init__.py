"""From tables to the engine's facts: the only place where rows become what decisions are made of.

What all decisions of an organization share is read whole; principals, resources and runs are read when a question names them.
Whatever has ended by hand is left out here; whatever ends by the clock keeps its window, which the engine looks at.
"""

from permissions.selectors.principals import principal_facts, run_facts
from permissions.selectors.resources import resource_facts
from permissions.selectors.shared import Shared, shared_facts

__all__ = ["Shared", "principal_facts", "resource_facts", "run_facts", "shared_facts"]
