"""Who may import whom, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skprog

ROOT = Path(skprog.__file__).parent
FLOORS = {
    "_checks": 0,
    "sequences": 1,
    "decision": 1,
    "preprocessing": 2,
    "networks": 2,
    "losses": 2,
    "callbacks": 2,
    "metrics": 2,
    "datasets": 2,
    "_augmentation": 1,
    "_batches": 1,
    "_lr_rules": 1,
    "_training": 2,
    "_lr_range": 2,
    "estimators": 3,
    "model_selection": 4,
    "recipes": 4,
    "online": 4,
    "deploy": 4,
    "plots": 4,
    "sktime": 4,
    "__init__": 5,
}
OPTIONAL = {"matplotlib", "PIL", "onnx", "onnxscript", "onnxruntime", "dask", "ray"}
LAZY = OPTIONAL | {"sktime", "pandas"}
UNWANTED = {"torchvision", "torchaudio", "torchmetrics", "dask_ml", "tensorflow", "keras"}
FILES = sorted(ROOT.rglob("*.py"))


def parts(path):
    """Return the names that lead to a file, as ("estimators", "_base")."""
    return path.relative_to(ROOT).with_suffix("").parts


def imports(path, *, at_load=False):
    """Yield the modules a file imports; with ``at_load`` only those outside functions."""
    package = ("skprog", *parts(path)[:-1])
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            # `from skprog import metrics` names the module in its second half.
            named = {alias.name for alias in node.names} & {*FLOORS} if module == "skprog" else ()
            yield from (f"skprog.{name}" for name in named) if named else [module]


def is_allowed(path, module):
    """Tell whether a file may import a module of the package."""
    here, there = parts(path), tuple(module.split(".")[1:]) or ("__init__",)
    if here[0] != there[0]:
        return FLOORS[there[0]] < FLOORS[here[0]]
    inside_free = here[-1] == "__init__" or here[0] == "networks"
    return inside_free or there[-1] == "_blocks" or there[-1].endswith("_base")


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(parts(path)))
def test_every_module_has_a_floor_and_imports_from_lower_floors_only(path):
    assert parts(path)[0] in FLOORS
    own = [module for module in imports(path) if module.split(".")[0] == "skprog"]
    refused = [module for module in own if not is_allowed(path, module)]
    assert not refused


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(parts(path)))
def test_optional_packages_are_imported_where_they_are_used(path):
    lazy = OPTIONAL if parts(path) == ("sktime",) else LAZY
    loaded = {module.split(".")[0] for module in imports(path, at_load=True)}
    assert not loaded & lazy
    assert not {module.split(".")[0] for module in imports(path)} & UNWANTED


@pytest.mark.parametrize("path", [path for path in FILES if parts(path)[0] == "networks"])
def test_networks_know_neither_skorch_nor_sklearn(path):
    assert not {module.split(".")[0] for module in imports(path)} & {"skorch", "sklearn"}


@pytest.mark.parametrize(
    ("here", "module", "allowed"),
    [
        ("metrics.py", "skprog.decision", True),
        ("metrics.py", "skprog.datasets", False),
        ("decision.py", "skprog.sequences", False),
        ("estimators/_cnn_lstm_rul.py", "skprog.estimators._base", True),
        ("estimators/_cnn_lstm_rul.py", "skprog.estimators._dummy_rul", False),
        ("networks/_cnn_lstm.py", "skprog.networks._lstm", True),
        ("deploy.py", "skprog", False),
    ],
)
def test_floor_rule_on_known_cases(here, module, allowed):
    assert is_allowed(ROOT / here, module) is allowed


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
