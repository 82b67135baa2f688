from __future__ import annotations

import pickle
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from .._checks import check_integer
from ._format import to_bytes
from ._graph import as_graph, last_step
from ._onnx import DTYPES, to_onnx

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

N_WARM = 3


class Footprint:
    """What an estimator's network takes to store and to run.

    Parameters
    ----------
    n_parameters : int
        Trained parameters, of all networks.
    n_macs : int
        Multiply-accumulates of a prediction of one row.
    n_bytes : dict of str to int
        Size of the file by format: "save", "pickle", "onnx float32", "onnx float16". A format
        that cannot be had, for want of the extra ``onnx`` or as :func:`save` or
        :func:`export_onnx` refuses the network, is not there.
    latency : dict of str to float
        Seconds for one row on one thread: "predict", and by onnxruntime "onnx float32" and
        "onnx float16".

    See Also
    --------
    footprint : Measures one.

    Examples
    --------
    >>> from skprog.deploy import Footprint
    >>> Footprint(48245, 20_000_000, {"save": 201_000}, {"predict": 0.004})
    48,245 parameters, 20,000,000 multiply-accumulates for one row
    save: 201,000 bytes
    predict: 4.00 ms for one row on one thread
    """

    def __init__(
        self, n_parameters: int, n_macs: int, n_bytes: dict[str, int], latency: dict[str, float]
    ) -> None:
        self.n_parameters = n_parameters
        self.n_macs = n_macs
        self.n_bytes = n_bytes
        self.latency = latency

    def __repr__(self):
        lines = [
            f"{self.n_parameters:,} parameters, {self.n_macs:,} multiply-accumulates for one row",
            *(f"{name}: {size:,} bytes" for name, size in self.n_bytes.items()),
            *(
                f"{name}: {1e3 * seconds:.2f} ms for one row on one thread"
                for name, seconds in self.latency.items()
            ),
        ]
        return "\n".join(lines)


def footprint(estimator: BaseEstimator, *, n_repeats: int = 30) -> Footprint:
    """Measure what the network of a fitted estimator takes to store and to run.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of skprog with a network, or a pipeline that ends in one, of which only
        that last step is measured.
    n_repeats : int, default=30
        Predictions timed, of which the median counts, after three that are not.

    Returns
    -------
    Footprint
        Parameters, multiply-accumulates, bytes by format and latency.

    Raises
    ------
    NotFittedError
        If ``estimator`` is not fitted.
    TypeError
        If it has no network, or ``n_repeats`` is no integer.
    ValueError
        If ``n_repeats`` is below 1.

    Notes
    -----
    Multiply-accumulates are those of convolutions, LSTMs and products of matrices for one row by
    itself, of all its channels and all networks. ``predict`` works in blocks of 16 rows and so
    computes more for a single one, and less per row for a run, of which each window is encoded
    once. With ``SEMClassifier(tiles="all")`` a row is an image of one tile.

    Examples
    --------
    A health indicator of 8 steps, an LSTM of 4 units with 4 gates, and dense layers of 2 and 1.

    >>> import numpy as np
    >>> from skprog.deploy import footprint
    >>> from skprog.estimators import CnnLstmRUL
    >>> indicator = np.linspace(0, 1, 40)[:, None] + np.zeros(8)
    >>> model = CnnLstmRUL(lstm_units=4, dense_units=(2,), max_epochs=1)
    >>> cost = footprint(model.fit(indicator, np.arange(40.0)[::-1]), n_repeats=1)
    >>> cost.n_macs == 8 * 4 * 4 * (1 + 4) + 4 * 2 + 2
    True
    """
    n_repeats = check_integer("n_repeats", n_repeats)
    step = last_step(estimator)
    row = np.random.default_rng(0).normal(size=(1, *step.shape_in_)).astype(np.float32)
    models = _onnx_models(step)
    n_bytes = {"save": _n_saved(step), "pickle": len(pickle.dumps(step))}
    n_bytes |= {name: len(model) for name, model in models.items()}
    latency = {"predict": _median_seconds(lambda: step.predict(row), n_repeats)}
    for name, model in models.items():
        run = _onnx_session(model)
        if run is not None:
            latency[name] = _median_seconds(lambda run=run: run(None, {"X": row}), n_repeats)
    return Footprint(
        n_parameters=sum(
            parameter.numel() for net in step.nets_ for parameter in net.module_.parameters()
        ),
        n_macs=_n_macs(as_graph(step), torch.from_numpy(row)),
        n_bytes={name: size for name, size in n_bytes.items() if size is not None},
        latency=latency,
    )


def _n_macs(graph, row):
    # oneDNN's LSTM is one operation, of which torch does not say what is inside.
    lstm = {torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=lstm) as counter:
        graph(row)
    return counter.get_total_flops() // 2


def _lstm_flops(steps, from_input, from_state, *others, out_shape=None, **kwargs):
    """Count two operations per weight, step and row; arguments are shapes."""
    return 2 * prod(steps[:2]) * (prod(from_input) + prod(from_state))


def _n_saved(step):
    try:
        return len(to_bytes(step))
    except ValueError:
        return None


def _onnx_models(step):
    try:
        return {f"onnx {dtype}": model for dtype, model in to_onnx(step, DTYPES).items()}
    except (ImportError, ValueError):
        return {}


def _onnx_session(model):
    """Return what runs an ONNX model on one thread, or None without onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"]).run


def _median_seconds(predict, n_repeats):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(N_WARM + n_repeats):
            start = perf_counter()
            predict()
            seconds.append(perf_counter() - start)
    finally:
        torch.set_num_threads(n_threads)
    return float(np.median(seconds[N_WARM:]))
