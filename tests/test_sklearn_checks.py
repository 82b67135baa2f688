"""scikit-learn's own checks, wholly, on instances small enough for its 2-d data."""

from _reshaped import Reshaped
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from skprog.estimators import (
    CnnLstmRUL,
    ConformalRUL,
    DistributionalRUL,
    DummyRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.model_selection import HyperbandSearchCV
from skprog.preprocessing import (
    AccelRotation45,
    BandEnergies,
    FrequencyMaxPool,
    PatchSelector,
    RULIndex,
    WelchSpectrogram,
)

SMALL_CNN = CnnLstmRUL(
    target="linear",
    n_filters=(4, 4),
    kernel_sizes=((3, 3), (3, 3)),
    strides=((1, 1), (1, 1)),
    pool_size=None,
    lstm_units=32,
    dense_units=(16,),
    lr=1e-2,
    lr_decay=1.0,
    max_epochs=60,
    random_state=0,
)

SMALL_GHL = GHLClassifier(
    kernel_sizes=(3, 3), pool_size=1, padding="same", lr=1e-2, max_epochs=30, random_state=0
)

SMALL_SEM = SEMClassifier(
    n_blocks=1, hidden_units=16, hidden_batch_norm=True, lr=0.05, max_steps=60, random_state=0
)

SMALL_RESNET = ImageClassifier(
    network_params={"width": 4},
    augment=False,
    lr=0.03,
    batch_size=32,
    max_epochs=10,
    random_state=0,
)

SMALL_FCN = TimeSeriesClassifier(
    network_params={"n_filters": (16, 16, 16)}, lr=1e-2, max_epochs=30, random_state=0
)
SMALL_LSTM = TimeSeriesClassifier(
    "lstm", network_params={"lstm_units": 16}, lr=1e-2, max_epochs=30, random_state=0
)

INSTANCES = [
    CnnLstmRUL(target="linear", lr=1e-2, lr_decay=1.0, max_epochs=60),
    DummyRUL(),
    DummyRUL("constant", constant=1.0),
    ConformalRUL(Ridge(), cv=3, coverage=0.5),
    ConformalRUL(
        CnnLstmRUL(target="linear", lr=1e-2, lr_decay=1.0, max_epochs=60, random_state=0),
        cv=GroupShuffleSplit(1, test_size=0.3, random_state=0),
        coverage=0.5,
    ),
    DistributionalRUL(ExtraTreesClassifier(20, random_state=0)),
    DistributionalRUL(ExtraTreesClassifier(20, random_state=0), statistic="mean", balance=None),
    WelchSpectrogram(nperseg=2, hop=1),
    RULIndex(),
    HyperbandSearchCV(
        SGDRegressor(tol=None, random_state=0),
        # No frozen distribution: its address would be part of the name of the test.
        {"alpha": [i / 1000 for i in range(1, 13)]},
        resource="max_iter",
        max_resources=10,
        cv=2,
        error_score="raise",
        random_state=0,
    ),
    SMALL_GHL,
    SMALL_FCN,
    SMALL_LSTM,
    Reshaped(SMALL_CNN, (2, 2, 5, 6)),
    Reshaped(SMALL_GHL, (2, 12)),
    Reshaped(SMALL_FCN, (2, 12)),
    Reshaped(SMALL_SEM, (6, 6), ramp=True),
    Reshaped(
        clone(SMALL_SEM).set_params(tiles="all", vote="majority", patch_size=8), (8, 8), ramp=True
    ),
    Reshaped(SMALL_RESNET, (3, 8, 8)),
    Reshaped(DummyRUL(), (2, 1, 3, 4)),
    Reshaped(ConformalRUL(DummyRUL(), cv=3, coverage=0.5, random_state=0), (2, 1, 3, 4)),
    Reshaped(WelchSpectrogram(nperseg=4, hop=2), (2, 3, 12)),
    Reshaped(FrequencyMaxPool(pool_size=2), (2, 3, 4, 2)),
    Reshaped(BandEnergies(n_bands=2), (2, 3, 4, 2)),
    Reshaped(AccelRotation45(), (3, 2, 8)),
    Reshaped(PatchSelector(patch_size=4), (8, 8), ramp=True),
    Reshaped(PatchSelector(patch_size=4, strategy="all"), (8, 8), ramp=True),
]


@parametrize_with_checks(INSTANCES)
def test_scikit_learn_check(estimator, check):
    check(estimator)
