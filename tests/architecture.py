"""The structure of the package, read from its source; run as a script, it counts it."""

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "skprog"
FILES = sorted(ROOT.rglob("*.py"))
MANY_LINES = 400
LONGEST_CHAIN = 3
# Private names of scikit-learn that a file here defines, too.
OF_OTHER_PACKAGES = {"_parameter_constraints"}


def parts(path):
    """Return the names that lead to a file, as ("estimators", "_sem")."""
    return path.relative_to(ROOT).with_suffix("").parts


def module_of(path):
    """Return the dotted name of a file."""
    return ".".join(("skprog", *(part for part in parts(path) if part != "__init__")))


MODULES = {module_of(path): path for path in FILES}


def tree(path):
    """Return the syntax tree of a file."""
    return _parsed(path.read_text(encoding="utf-8"))


_parsed = cache(ast.parse)


def imports(path, *, at_load=False):
    """Yield (module, name) for what a file imports, the name None for a module as a whole.

    With ``at_load`` only what is imported outside functions and not for types alone.
    """
    above = ("skprog", *parts(path)[:-1])
    nodes = [tree(path)]
    while nodes:
        node = nodes.pop()
        if at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if at_load and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = above[: len(above) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield (inner, None) if inner in MODULES else (module, alias.name)


def own_imports(path):
    """Yield (module, name) for what a file imports of the package itself."""
    for module, name in imports(path):
        if module.split(".")[0] == "skprog":
            yield module, name


def top_level(module):
    """Return the first name under ``skprog``, or "__init__" for the package itself."""
    return (module.split(".")[1:] or ["__init__"])[0]


def circles():
    """Return the circles of imports between files, those in functions too, as lists of modules."""
    graph = {
        module: {other for other, _ in own_imports(path)} - {module}
        for module, path in MODULES.items()
    }
    found = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append(circle)
            # The node before imports the one after it.
            for after, before in pairwise(circle):
                graph[before] = graph[before] - {after}
        else:
            return found


def is_private(name):
    """Tell a name that begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def private_imports():
    """Return (file, what) for each private name that is imported from another top-level name.

    A module whose first name is private, such as ``skprog._checks``, is public to the package.
    """
    found = []
    for module, path in MODULES.items():
        for other, name in own_imports(path):
            inner = [*other.split(".")[2:], *filter(None, [name])]
            if top_level(other) != top_level(module) and any(map(is_private, inner)):
                found.append((module, ".".join([other, *filter(None, [name])])))
    return sorted(set(found))


def _defined(path):
    """Yield the private names that a file defines: functions, classes, values, attributes."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _reached(path):
    """Yield (name, of a module) for what a file reaches by attribute, or asks for in quotes."""
    package = {top_level(module) for module in MODULES} | {"skprog"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            yield node.attr, isinstance(root, ast.Name) and root.id in package
        elif isinstance(node, ast.Call):
            asked = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if asked in ("getattr", "hasattr", "setattr", "attrgetter", "import_module"):
                texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                for part in (part for text in texts for part in str(text).split(".")):
                    yield part, asked == "import_module"


def private_attributes():
    """Return (file, name) for each private name of other places that a file reaches.

    That is ``_name`` as an attribute or in quotes, where no file of its own top-level name defines
    ``_name`` and another does; of a module, a file that is called so counts as well.
    """
    owners, files = defaultdict(set), defaultdict(set)
    for module, path in MODULES.items():
        for name in filter(is_private, _defined(path)):
            owners[name].add(top_level(module))
        for name in filter(is_private, parts(path)):
            files[name].add(top_level(module))
    found = set()
    for module, path in MODULES.items():
        for name, of_module in _reached(path):
            places = owners[name] | (files[name] if of_module else set())
            is_other = places and top_level(module) not in places
            if is_private(name) and is_other and name not in OF_OTHER_PACKAGES:
                found.add((module, name))
    return sorted(found)


def star_imports():
    """Return the files that import whatever another has."""
    return [
        module for module, path in MODULES.items() if any(name == "*" for _, name in imports(path))
    ]


def chains():
    """Return the classes of more than ``LONGEST_CHAIN`` of the package's own, themselves counted.

    Classes are told by their names.
    """
    bases = {
        node.name: [getattr(base, "id", getattr(base, "attr", None)) for base in node.bases]
        for path in MODULES.values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }

    def length(name):
        return 0 if name not in bases else 1 + max(map(length, bases[name]), default=0)

    return sorted(f"{name} {length(name)}" for name in bases if length(name) > LONGEST_CHAIN)


def named_after_a_permission():
    """Return the files whose names end in ``_base`` or ``_blocks``."""
    return [path for path in FILES if path.stem.endswith(("_base", "_blocks"))]


def long_files():
    """Return the files of more than 400 lines."""
    return [
        path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > MANY_LINES
    ]


def main():
    """Print what the structure is judged by."""
    counts = {
        "files named *_base or *_blocks": named_after_a_permission(),
        f"files over {MANY_LINES} lines": long_files(),
        "circles": circles(),
        "private imports across top-level names": private_imports(),
        "private attributes across top-level names": private_attributes(),
        "star imports": star_imports(),
        f"classes of more than {LONGEST_CHAIN} in a chain": chains(),
    }
    for what, found in counts.items():
        print(f"{len(found):3}  {what}")
        for each in found:
            shown = each.relative_to(ROOT) if isinstance(each, Path) else each
            print("    ", shown if isinstance(shown, str | Path) else " ".join(shown))


if __name__ == "__main__":
    main()
