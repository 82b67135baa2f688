"""Public signatures say what they take and give."""

import inspect
from functools import cached_property
from importlib import import_module

import pytest
from architecture import ROOT, parts

FOLDERS = sorted({parts(path)[0] for path in ROOT.rglob("*.py")} - {"__init__", "__pycache__"})
PUBLIC = [name for name in FOLDERS if not name.startswith("_")]


def function_of(member):
    """Return the function behind a member of a class, None for other values."""
    if isinstance(member, classmethod | staticmethod):
        member = member.__func__
    if isinstance(member, property):
        member = member.fget
    if isinstance(member, cached_property):
        member = member.func
    return inspect.unwrap(member) if callable(member) and not isinstance(member, type) else None


def is_ours(value):
    """Tell a function that is written here, not inherited or made by ``NamedTuple``."""
    return inspect.isfunction(value) and value.__module__.split(".")[0] == "skprog"


def functions_of(value):
    """Yield (name, function) for a public function, or the public methods and constructor."""
    if is_ours(value):
        yield value.__name__, value
    if not isinstance(value, type):
        return
    for parent in value.__mro__:
        for name, member in list(vars(parent).items()):
            function = function_of(member)
            is_public = name == "__init__" or not name.startswith("_")
            if is_public and is_ours(function):
                yield f"{parent.__name__}.{name}", function


def bare(name, function):
    """Return the parameters of a function that say no type, "return" among them."""
    signature = inspect.signature(function)
    names = [
        parameter.name
        for i, parameter in enumerate(signature.parameters.values())
        if parameter.annotation is inspect.Parameter.empty and not (i == 0 and "." in name)
    ]
    is_bare = signature.return_annotation is inspect.Signature.empty
    return names + ["return"] * is_bare


@pytest.mark.parametrize("module", ["", *PUBLIC])
def test_every_public_signature_is_annotated(module):
    module = import_module(f"skprog.{module}".rstrip("."))
    functions = {
        name: function
        for each in module.__all__
        for name, function in functions_of(getattr(module, each))
    }
    assert functions
    found = {name: bare(name, function) for name, function in functions.items()}
    assert not {name: names for name, names in found.items() if names}


def test_a_bare_signature_is_found():
    def whole(x: int) -> int: ...
    def lacking(x, *rest: int, **kwargs): ...

    assert bare("whole", whole) == []
    assert bare("lacking", lacking) == ["x", "kwargs", "return"]
    assert bare("A.method", lacking) == ["kwargs", "return"]


def test_type_checkers_are_told():
    assert (ROOT / "py.typed").exists()
