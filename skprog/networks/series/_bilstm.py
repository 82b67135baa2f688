from __future__ import annotations

from ._lstm import LSTM


class BiLSTM(LSTM):
    """Long short-term memory over the timepoints in both directions [1]_, a linear layer on top.

    The linear layer sees the state of each direction after its last step: the forward one at the
    end of the series, the backward one at its beginning. Weights from the input are drawn from
    Glorot's normal distribution and those from the state are orthogonal; biases are 0, of the
    forget gate 1.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    lstm_units : int, default=128
        Units of each LSTM layer and direction.
    n_layers : int, default=1
        LSTM layers, each reading both directions of the one before.
    dropout : float, default=0.0
        Share of units dropped between LSTM layers and before the linear layer, in [0, 1).

    Raises
    ------
    ValueError
        If a size is too small or ``dropout`` is out of range; in ``forward`` if series have
        another shape or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", IEEE
       Transactions on Signal Processing 45(11), 1997.

    Examples
    --------
    >>> from skprog.networks import BiLSTM
    >>> network = BiLSTM(n_channels=1, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    135429
    """

    bidirectional = True

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        lstm_units: int = 128,
        n_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            n_channels, n_classes, lstm_units=lstm_units, n_layers=n_layers, dropout=dropout
        )
