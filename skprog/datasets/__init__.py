"""Data sets: ``load_`` reads a folder, ``make_`` simulates."""

from ._bearing_faults import make_bearing_faults
from ._cifar import load_cifar
from ._compact_femto import compact_femto
from ._cwru import load_cwru
from ._cwru_imbalanced import cwru_imbalanced
from ._femto import load_femto
from ._nanofibers import make_nanofibers
from ._paper_split import paper_split
from ._run_to_failure import make_run_to_failure
from ._sem import load_sem
from ._ucr import load_ucr

__all__ = [
    "compact_femto",
    "cwru_imbalanced",
    "load_cifar",
    "load_cwru",
    "load_femto",
    "load_sem",
    "load_ucr",
    "make_bearing_faults",
    "make_nanofibers",
    "make_run_to_failure",
    "paper_split",
]
