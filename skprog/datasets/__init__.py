"""Run-to-failure data: ``load_`` reads a folder, ``make_`` simulates."""

from ._compact_femto import compact_femto
from ._femto import load_femto
from ._paper_split import paper_split
from ._run_to_failure import make_run_to_failure

__all__ = ["compact_femto", "load_femto", "make_run_to_failure", "paper_split"]
