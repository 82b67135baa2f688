"""The package as a whole: versions, public names, settings of the test run."""

import inspect
import pkgutil
from importlib import import_module, metadata
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from sklearn import config_context

import skprog

API_PAGE = Path(__file__).parents[1] / "docs" / "api" / "index.rst"
MODULES = [
    f"skprog.{module.name}"
    for module in pkgutil.iter_modules(skprog.__path__)
    if not module.name.startswith("_")
]
CLASSES = {
    value
    for module in map(import_module, MODULES)
    for name in module.__all__
    if inspect.isclass(value := getattr(module, name))
}


def test_version_is_the_installed_one():
    assert skprog.__version__ == metadata.version("skprog")


def test_show_versions_names_every_dependency(capsys):
    skprog.show_versions()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["skprog", skprog.__version__]
    assert {line.split()[0] for line in lines} >= {"Python", "numpy", "scikit-learn", "torch"}


def test_missing_package_is_said_to_be_missing(capsys, monkeypatch):
    monkeypatch.setattr(skprog, "_OPTIONAL", ("absent",))
    skprog.show_versions()
    assert "absent not installed" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("module", ["skprog", *MODULES])
def test_public_names_exist(module):
    module = import_module(module)
    assert all(hasattr(module, name) for name in module.__all__)


def test_api_reference_lists_every_public_name():
    names = {
        f"{module.removeprefix('skprog.')}.{name}"
        for module in MODULES
        for name in import_module(module).__all__
    }
    assert names <= set(API_PAGE.read_text(encoding="utf-8").split())


def test_every_estimator_is_at_the_top():
    from skprog import estimators

    assert {*estimators.__all__} == {*skprog._ESTIMATORS}
    assert all(getattr(skprog, name) is getattr(estimators, name) for name in skprog._ESTIMATORS)


def test_the_top_shows_its_public_names_and_what_was_imported_of_it():
    import skprog.decision

    shown = {*dir(skprog)}
    assert {*skprog.__all__, "decision"} <= shown
    assert shown <= {*skprog.__all__, *(module.partition(".")[2] for module in MODULES)}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'CnnLstm'"):
        _ = skprog.CnnLstm


@pytest.mark.parametrize("cls", sorted(CLASSES, key=lambda cls: cls.__name__))
def test_every_constructor_argument_is_documented_in_order(cls):
    signature = inspect.signature(cls)
    # numpydoc wants the fields of a named tuple, which are its arguments, as attributes.
    section = "Attributes" if issubclass(cls, tuple) else "Parameters"
    documented = [name for p in ClassDoc(cls)[section] for name in p.name.split(", ")]
    assert documented == list(signature.parameters)


def test_array_api_is_on_for_this_run():
    with config_context(array_api_dispatch=True):
        pass
