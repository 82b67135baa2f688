"""Prognostics and diagnostics as scikit-learn estimators."""

from importlib import import_module as _import_module

from ._version import __version__

_ESTIMATORS = (
    "CnnLstmRUL",
    "ConformalRUL",
    "DistributionalRUL",
    "DummyRUL",
    "GHLClassifier",
    "ImageClassifier",
    "SEMClassifier",
    "TimeSeriesClassifier",
)
_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "skorch", "sktime", "safetensors", "tqdm")
_OPTIONAL = ("matplotlib", "pillow", "onnx", "onnxscript", "onnxruntime", "dask", "ray")

__all__ = ["__version__", "show_versions", *_ESTIMATORS]


def show_versions() -> None:
    """Print the versions of Python, skprog and the packages it uses, for a bug report.

    Examples
    --------
    >>> import skprog
    >>> skprog.show_versions()
    skprog        0.1.0
    Python        3...
    """
    import platform
    from importlib.metadata import PackageNotFoundError, version

    print(f"{'skprog':14}{__version__}")
    print(f"{'Python':14}{platform.python_version()}, {platform.platform()}")
    for name in (*_PACKAGES, *_OPTIONAL):
        try:
            print(f"{name:14}{version(name)}")
        except PackageNotFoundError:
            print(f"{name:14}not installed")


# Estimators load torch; `from skprog.decision import ema` on a small device should not.
def __getattr__(name: str) -> object:
    if name in _ESTIMATORS:
        return getattr(_import_module("skprog.estimators"), name)
    raise AttributeError(f"module 'skprog' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if not name.startswith("_"))})
