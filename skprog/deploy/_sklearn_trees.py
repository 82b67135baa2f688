"""Trees of scikit-learn as arrays, checked before compiled code walks along them."""

import numpy as np
from sklearn.tree._tree import Tree

COLUMNS = (
    "left_child",
    "right_child",
    "feature",
    "threshold",
    "impurity",
    "n_node_samples",
    "weighted_n_node_samples",
    "missing_go_to_left",
)
LEAF = -1


def tree_to_values(tree):
    """Return a tree as a dict of numbers and arrays."""
    state = tree.__getstate__()
    return {
        "n_features": tree.n_features,
        "n_classes": np.asarray(tree.n_classes),
        "n_outputs": tree.n_outputs,
        "max_depth": state["max_depth"],
        "values": state["values"],
        **{name: np.ascontiguousarray(state["nodes"][name]) for name in COLUMNS},
    }


def tree_from_values(values):
    """Return the tree, refusing by a ValueError one that would lead out of its arrays."""
    sizes = [values["n_features"], values["n_outputs"], values["max_depth"]]
    if not all(type(size) is int and 0 <= size < 1 << 31 for size in sizes):
        raise ValueError(f"a tree has sizes {sizes}")
    n_classes = values["n_classes"]
    if n_classes.shape != (values["n_outputs"],) or (n_classes < 1).any():
        raise ValueError(f"a tree has {n_classes} classes for {values['n_outputs']} outputs")
    n_nodes = len(values["feature"])
    left, right, feature = (values[name] for name in COLUMNS[:3])
    numbers = np.arange(n_nodes)
    is_leaf = left == LEAF
    leads_on = (left > numbers) & (left < n_nodes) & (right > numbers) & (right < n_nodes)
    splits = (feature >= 0) & (feature < values["n_features"])
    if n_nodes == 0 or not np.where(is_leaf, right == LEAF, leads_on & splits).all():
        raise ValueError("a tree has nodes that lead nowhere")
    tree = Tree(values["n_features"], n_classes.astype(np.intp), values["n_outputs"])
    nodes = np.zeros(n_nodes, dtype=_node_dtype())
    for name in COLUMNS:
        if values[name].shape != (n_nodes,) or values[name].dtype != nodes.dtype[name]:
            raise ValueError(f"a tree has {name} of another shape or type than its nodes")
        nodes[name] = values[name]
    shape = (n_nodes, values["n_outputs"], int(n_classes.max(initial=1)))
    if values["values"].shape != shape or values["values"].dtype != np.float64:
        raise ValueError(f"a tree has values of another shape than {shape}")
    tree.__setstate__(
        {
            "max_depth": values["max_depth"],
            "node_count": n_nodes,
            "nodes": nodes,
            "values": np.ascontiguousarray(values["values"]),
        }
    )
    return tree


def _node_dtype():
    """Return the type of nodes of the scikit-learn installed."""
    return Tree(1, np.ones(1, dtype=np.intp), 1).__getstate__()["nodes"].dtype
