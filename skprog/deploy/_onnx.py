from ._file_base import checked_path, write
from ._onnx_base import to_onnx


def export_onnx(estimator, path, *, dtype="float32"):
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
