"""Who may import whom, read from the source."""

import re
import subprocess
import sys

import architecture
import pytest
from architecture import (
    FILES,
    ROOT,
    chains,
    circles,
    imports,
    long_files,
    module_of,
    named_after_a_permission,
    own_imports,
    parts,
    private_attributes,
    private_imports,
    star_imports,
    top_level,
)

FLOORS = {
    "_checks": 0,
    "_refit": 0,
    "_version": 0,
    "_runs": 1,
    "sequences": 2,
    "decision": 2,
    "preprocessing": 3,
    "networks": 3,
    "losses": 3,
    "callbacks": 3,
    "metrics": 3,
    "datasets": 3,
    "_training": 4,
    "estimators": 5,
    "model_selection": 6,
    "recipes": 6,
    "online": 6,
    "deploy": 6,
    "sktime": 6,
    "plots": 7,
    "__init__": 8,
}
OPTIONAL = {"matplotlib", "PIL", "onnx", "onnxscript", "onnxruntime", "dask", "ray"}
LAZY = OPTIONAL | {"sktime", "pandas"}
UNWANTED = {"torchvision", "torchaudio", "torchmetrics", "dask_ml", "tensorflow", "keras"}
PATHS = pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(parts(path)))


def is_allowed(module, other):
    """Tell whether a module may import another: of its own top-level name or a lower floor."""
    here, there = top_level(module), top_level(other)
    return here == there or FLOORS[there] < FLOORS[here]


@PATHS
def test_every_module_has_a_floor_and_imports_from_lower_floors_only(path):
    module = module_of(path)
    assert top_level(module) in FLOORS
    assert not [other for other, _ in own_imports(path) if not is_allowed(module, other)]


def test_imports_go_in_no_circle():
    assert not circles()


def test_no_private_name_of_another_top_level_name_is_imported():
    assert not private_imports()


def test_no_private_name_of_another_top_level_name_is_reached_by_attribute():
    assert not private_attributes()


def test_nothing_is_imported_by_a_star():
    assert not star_imports()


def test_files_are_named_after_what_they_hold_and_short():
    assert len(named_after_a_permission()) <= 4
    assert len(long_files()) <= 2


def test_chains_are_short():
    assert not chains()


@pytest.mark.parametrize("path", [path for path in FILES if parts(path)[0] == "preprocessing"])
def test_preprocessing_loads_torch_where_it_computes(path):
    assert "torch" not in {module.split(".")[0] for module, _ in imports(path, at_load=True)}


PAGES = [
    path
    for folder, kind in (("examples", "*.py"), ("docs", "*.rst"))
    for path in sorted((ROOT.parent / folder).rglob(kind))
    if not {"_build", "gallery", "generated"} & {*path.parts}
]


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT.parent / "README.md"], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_users_copy_imports_public_names_only(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(
        r"(?:from|import) skprog[.\w]*\._\w+|from skprog\S* import .*\b_\w+", text
    )


@PATHS
def test_optional_packages_are_imported_where_they_are_used(path):
    lazy = OPTIONAL if parts(path) == ("sktime",) else LAZY
    loaded = {module.split(".")[0] for module, _ in imports(path, at_load=True)}
    assert not loaded & lazy
    assert not {module.split(".")[0] for module, _ in imports(path)} & UNWANTED


@pytest.mark.parametrize("path", [path for path in FILES if parts(path)[0] == "networks"])
def test_networks_know_neither_skorch_nor_sklearn(path):
    assert not {module.split(".")[0] for module, _ in imports(path)} & {"skorch", "sklearn"}


@pytest.mark.parametrize(
    ("module", "other", "allowed"),
    [
        ("skprog.metrics._decisions", "skprog.decision", True),
        ("skprog.metrics", "skprog.datasets", False),
        ("skprog.decision", "skprog.sequences", False),
        ("skprog.estimators._cnn_lstm_rul", "skprog.estimators._dummy_rul", True),
        ("skprog.networks.bearings._cnn_lstm", "skprog.networks._lstm_autocast", True),
        ("skprog.estimators", "skprog.deploy", False),
        ("skprog.deploy", "skprog", False),
    ],
)
def test_floor_rule_on_known_cases(module, other, allowed):
    assert is_allowed(module, other) is allowed


def test_there_is_no_utils_and_no_skbase():
    stems = {part for path in FILES for part in parts(path)}
    assert not stems & {"utils", "_utils", "skbase"}


def test_files_inside_a_folder_start_with_an_underscore():
    assert all(parts(path)[-1].startswith("_") for path in FILES if len(parts(path)) > 1)


def test_import_leaves_optional_packages_alone():
    code = """
import sys, skprog, skprog.datasets, skprog.deploy, skprog.estimators, skprog.metrics, skprog.plots
print(*{name.split(".")[0] for name in sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # skorch loads pandas by itself.
    assert not set(done.stdout.split()) & (LAZY - {"pandas"})


def test_a_rul_index_works_without_torch():
    code = """
import sys
from skprog.decision import ema
from skprog.preprocessing import RULIndex
from skprog.sequences import RunSequences
RULIndex().fit_transform([[10.0], [0.0]])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Return a function that lays out files by name in a package of its own."""

    def lay_out(**files):
        for name, text in files.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        paths = sorted(tmp_path.rglob("*.py"))
        monkeypatch.setattr(architecture, "ROOT", tmp_path)
        monkeypatch.setattr(architecture, "MODULES", {module_of(path): path for path in paths})

    return lay_out


def test_a_circle_is_found_even_through_a_function(house):
    house(plots__a="from .b import f", plots__b="def f():\n    from . import c", plots__c="")
    assert not circles()
    house(plots__c="from .a import g")
    (circle,) = circles()
    assert {*circle} == {"skprog.plots.a", "skprog.plots.b", "skprog.plots.c"}


def test_a_private_name_of_another_place_is_found(house):
    house(deploy__a="from ..plots._b import C\nfrom ..plots import _d\nfrom .._checks import check")
    house(plots__a="from ._b import C", plots___b="", _checks="")
    assert private_imports() == [
        ("skprog.deploy.a", "skprog.plots._b.C"),
        ("skprog.deploy.a", "skprog.plots._d"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A()._draw()", ["_draw"]),
        ("print(A()._ink, A()._unknown)", ["_ink"]),
        ("getattr(A(), '_draw')", ["_draw"]),
        ("from operator import attrgetter\nattrgetter('x._ink')", ["_ink"]),
        ("from .. import plots\nplots._b.f()", ["_b"]),
        ("import skprog.plots\nskprog.plots._b.C()", ["_b"]),
        ("from importlib import import_module\nimport_module('skprog.plots._b')", ["_b"]),
        ("class B:\n    def _draw(self): ...\nB()._draw()", []),
        ("net._b", []),
    ],
)
def test_a_private_attribute_of_another_place_is_found(house, text, found):
    house(plots__a="class A:\n    async def _draw(self):\n        self._ink = self._other()")
    # That a second place defines a name hides nothing.
    house(plots___b="", online__a="self._draw = 1", deploy__a=text)
    assert private_attributes() == [("skprog.deploy.a", name) for name in found]


def test_a_star_import_is_found(house):
    house(plots__a="", deploy__a="from ..plots.a import *")
    assert star_imports() == ["skprog.deploy.a"]


def test_a_long_chain_is_found_across_files(house):
    house(plots__a="class A(Base): ...\nclass B(A): ...", deploy__b="class C(a.B): ...")
    assert not chains()
    house(online__c="class D(mixins.Other, C): ...")
    assert chains() == ["D 4"]
