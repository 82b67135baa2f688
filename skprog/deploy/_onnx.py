"""A fitted estimator's network and scaling as an ONNX model."""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.base import is_classifier

from .._checks import check_option
from ._graph import as_graph, last_step
from ._persistence import checked_path, write

if TYPE_CHECKING:
    from os import PathLike
    from typing import Literal

    from sklearn.base import BaseEstimator

DTYPES = ("float32", "float16")
# Scaling and biases stay float32: they are few and set the scale of all else.
N_LARGE = 1024


def export_onnx(
    estimator: BaseEstimator,
    path: str | PathLike[str],
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Write the network of a fitted estimator, with its scaling, as an ONNX model.

    The model has one input ``X`` of float32, any number of rows of the shape fitted, and one
    output: ``rul`` in s, (n_rows,), the mean over channels, or ``probabilities``, (n_rows,
    n_classes), the mean over the networks, as ``predict`` and ``predict_proba`` give them.

    Parameters
    ----------
    estimator : estimator
        Fitted :class:`~skprog.estimators.CnnLstmRUL` or a classifier of skprog, or a pipeline that
        ends in one, of which only that last step is exported.
    path : str or path-like
        File to write, usually ``.onnx``, in a folder that exists. It is replaced as a whole.
    dtype : {"float32", "float16"}, default="float32"
        Type in which weights are kept. "float16" halves the file and computes in float32.

    Raises
    ------
    ImportError
        If onnx or onnxscript is missing.
    NotFittedError
        If ``estimator`` is not fitted.
    ValueError
        If ``dtype`` is unknown, or weights exceed what float16 holds.
    TypeError
        If ``estimator`` has no network, or ``path`` is no path.
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.

    Notes
    -----
    A row is a stacked sequence, ``np.asarray(X)`` of a
    :class:`~skprog.sequences.RunSequences`. The model checks nothing: NaN leads to NaN.

    With ``SEMClassifier(tiles="all")`` a row is a tile and the output its probabilities; the vote
    on the image is not in the model. Series have the length of the longest one fitted. Images
    are float32, of the values they had in ``fit``.

    The model computes in float32, so that with ``amp="bf16"`` it is the more precise of both.

    The CPU kernels of onnxruntime know no LSTM in float16, and mean and standard deviation of the
    input in float16 would shift it by more than the weights do: scaling, biases and all
    computation stay float32.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from skprog.deploy import export_onnx
    >>> from skprog.estimators import CnnLstmRUL
    >>> indicator = np.linspace(0, 1, 40)[:, None] + np.zeros(8)
    >>> model = CnnLstmRUL(lstm_units=4, max_epochs=1).fit(indicator, np.arange(40.0)[::-1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.onnx"
    ...     export_onnx(model, path)
    ...     path.exists()
    True
    """
    path = checked_path(path)
    write(path, to_onnx(estimator, [dtype])[dtype])


def to_onnx(estimator, dtypes):
    """Return the ONNX models of the network in which an estimator ends, as bytes by type."""
    for dtype in dtypes:
        check_option("dtype", dtype, DTYPES)
    step = last_step(estimator)
    try:
        import onnx

        # torch translates by it.
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'export_onnx needs onnx and onnxscript; pip install "skprog[onnx]".'
        ) from error
    name = "probabilities" if is_classifier(step) else "rul"
    try:
        exported = _exported(step, name)
    # torch has no one kind of error for what it cannot trace or translate.
    except Exception as error:
        raise ValueError(
            f"the network of {type(step).__name__} cannot be exported ({_first_line(error)}); use "
            "operations that ONNX has, and no branches by values."
        ) from error
    model = exported.model_proto
    _strip(model)
    described = {"estimator": type(step).__name__, "output": name}
    if is_classifier(step):
        described["classes"] = json.dumps(step.classes_.tolist(), default=str)
    else:
        described["unit"] = "s"
    onnx.helper.set_model_props(model, described)
    models = {}
    for dtype in dtypes:
        if dtype == "float16":
            model = _with_half_weights(onnx, model)
        onnx.checker.check_model(model)
        models[dtype] = model.SerializeToString()
    return models


def _exported(step, name):
    # A program first, which keeps an LSTM in one; from a module and shapes torch makes it a loop.
    with torch.no_grad(), _without_notices():
        program = torch.export.export(
            as_graph(step),
            (torch.zeros(2, *step.shape_in_),),
            dynamic_shapes=({0: torch.export.Dim("n_rows")},),
        )
        return torch.onnx.export(
            program, input_names=["X"], output_names=[name], dynamo=True, verbose=False
        )


def _first_line(error):
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _without_notices():
    """Keep back what torch says of itself at each export."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    # That torchvision is not installed.
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # An LSTM keeps its weights once more in a list, where tracing swaps them, too.
            warnings.filterwarnings("ignore", "The tensor attributes? .*_flat_weights", UserWarning)
            # torch copies a class of its own that it has deprecated.
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _strip(model):
    """Leave out where in the source each node comes from, which doubles the file."""
    for graph in (model.graph, *model.functions):
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        del graph.metadata_props[:]
        del graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]


def _with_half_weights(onnx, original):
    """Return the model with large weights in float16, cast to float32 when it is loaded."""
    model = onnx.ModelProto()
    model.CopyFrom(original)
    casts = []
    for tensor in model.graph.initializer:
        is_large = int(np.prod(tensor.dims)) >= N_LARGE
        if tensor.data_type != onnx.TensorProto.FLOAT or not is_large:
            continue
        weights = onnx.numpy_helper.to_array(tensor)
        largest = np.abs(weights).max()
        if largest > np.finfo(np.float16).max:
            raise ValueError(
                f"weights up to {largest:.3g} exceed {np.finfo(np.float16).max:.6g}, the largest "
                "float16; use dtype='float32'."
            )
        name = tensor.name
        half = onnx.numpy_helper.from_array(weights.astype(np.float16), f"{name}_float16")
        tensor.CopyFrom(half)
        casts.append(onnx.helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
