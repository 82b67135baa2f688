"""The paper's split of the bearings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils import Bunch

from ._femto_files import LIVES, check_bearings

if TYPE_CHECKING:
    from collections.abc import Sequence

PAPER_TEST = ("Bearing2_2", "Bearing2_5", "Bearing1_4", "Bearing2_1", "Bearing1_3")


def paper_split(bearings: Sequence[str]) -> Bunch:
    """Split bearings into the training and test as the RUL index paper does [1]_.

    The paper tests on bearings "3, 13, 7, 2, 6" and trains on the other twelve. Read as the
    challenge's learning set followed by its full test set, counted from 0, these are 2_2, 2_5,
    1_4, 2_1 and 1_3.

    Parameters
    ----------
    bearings : list of str
        Bearings at hand, as "1_1" or "Bearing1_1", in any order. Repetitions count once, so that
        ``data.runs`` serves as well as ``data.bearings``.

    Returns
    -------
    split : :class:`~sklearn.utils.Bunch`
        Bearings in full, such as "Bearing1_1", in these lists:

        train : list of str
            Training bearings at hand, in the challenge's order.
        test : list of str
            Test bearings at hand, in the paper's order.
        missing : list of str
            Bearings of the paper, training or test, that are not at hand.

    Raises
    ------
    ValueError
        If a bearing is unknown.
    TypeError
        If ``bearings`` is not a list of names.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    >>> from skprog.datasets import paper_split
    >>> split = paper_split(["1_1", "1_2", "2_1", "2_2"])
    >>> split.train, split.test
    (['Bearing1_1', 'Bearing1_2'], ['Bearing2_2', 'Bearing2_1'])
    >>> len(split.missing)
    13
    """
    names = check_bearings(bearings)
    return Bunch(
        train=[name for name in LIVES if name in names and name not in PAPER_TEST],
        test=[name for name in PAPER_TEST if name in names],
        missing=[name for name in LIVES if name not in names],
    )
