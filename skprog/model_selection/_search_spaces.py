from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.stats import loguniform, randint

if TYPE_CHECKING:
    from typing import Any

POOLS = [None, (2, 2), (2, 3), (3, 2), (3, 3)]


def cnn_lstm_search_space(*, prefix: str = "") -> list[dict[str, Any]]:
    """Return the distributions of Table I [1]_ for :class:`~skprog.estimators.CnnLstmRUL`.

    Learning rate from 1e-8 to 1 on a logarithmic scale; 1 to 3 convolutional layers of 2 to 4, then
    4 to 8 filters, kernels from 3 × 3 to 7 × 5, strides from 1 × 1 to 3 × 3, in later layers to
    3 × 2; no pooling or pools from 2 × 2 to 3 × 3; 16 to 128 units in the LSTM and the first dense
    layer, 8 to 32 in the second.

    Parameters
    ----------
    prefix : str, default=""
        Put before each name, such as ``"cnnlstmrul__"`` for a step of a pipeline.

    Returns
    -------
    list of dicts
        One dict for each number of convolutional layers, all as likely; the tuples have as many
        entries.

    Raises
    ------
    ValueError
        If ``prefix`` does not end in two underscores.
    TypeError
        If ``prefix`` is no string.

    See Also
    --------
    HyperbandSearchCV : Search over them.

    Notes
    -----
    Kernels, strides and pools that shrink a small spectrogram to nothing are among them. Such a
    candidate is a failed fit, with a warning that names the layer.

    The paper gives the ranges; that every value of a range is as likely is the reading here.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    A candidate of one convolutional layer has one kernel.

    >>> from sklearn.model_selection import ParameterSampler
    >>> from skprog.model_selection import cnn_lstm_search_space
    >>> space = cnn_lstm_search_space(prefix="cnnlstmrul__")
    >>> (params,) = ParameterSampler(space, 1, random_state=0)
    >>> params["cnnlstmrul__n_conv_layers"], params["cnnlstmrul__kernel_sizes"]
    (1, ((3, 4),))
    """
    if not isinstance(prefix, str):
        raise TypeError(f"prefix={prefix!r} must be a string, such as 'cnnlstmrul__'.")
    if prefix and not prefix.endswith("__"):
        raise ValueError(f"prefix={prefix!r} must end in two underscores, as {prefix + '__'!r}.")
    kernel = _TupleOf(randint(3, 8), randint(3, 6))
    filters = [randint(2, 5), randint(4, 9), randint(4, 9)]
    strides = [_TupleOf(randint(1, 4), randint(1, last)) for last in (4, 3, 3)]
    spaces = [
        {
            "lr": loguniform(1e-8, 1.0),
            "n_conv_layers": [n],
            "n_filters": _TupleOf(*filters[:n]),
            "kernel_sizes": _TupleOf(*[kernel] * n),
            "strides": _TupleOf(*strides[:n]),
            "pool_size": POOLS,
            "lstm_units": randint(16, 129),
            "dense_units": _TupleOf(randint(16, 129), randint(8, 33)),
        }
        for n in (1, 2, 3)
    ]
    return [{prefix + name: values for name, values in space.items()} for space in spaces]


class _TupleOf:
    """Distribution of tuples whose entries are drawn from one distribution each."""

    def __init__(self, *entries):
        self.entries = entries

    def rvs(self, random_state=None):
        drawn = (entry.rvs(random_state=random_state) for entry in self.entries)
        # Plain integers, which read well in a table.
        return tuple(value if isinstance(value, tuple) else int(value) for value in drawn)
