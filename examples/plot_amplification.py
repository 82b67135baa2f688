"""
Amplifying gradients that agree
===============================

A layer whose gradients point the same way from step to step may take longer steps. This example
measures which layers of a network do, doubles their gradients, and asks whether that was any
better than doubling those of layers drawn at random.
"""

# %%
# The data
# --------
# :func:`~skprog.datasets.load_ucr` brings ItalyPowerDemand from within sktime: days of electric
# power, 24 hours each, from winter or summer.

import matplotlib.pyplot as plt
import numpy as np

from skprog.callbacks import GradientAmplification
from skprog.datasets import load_ucr
from skprog.estimators import TimeSeriesClassifier
from skprog.plots import AmplificationDisplay

data = load_ucr("ItalyPowerDemand")
X, y = data.X_train, data.y_train
print("training cases, channels, timepoints", X.shape, "classes", data.target_names)

# %%
# The schedule
# ------------
# Phases are (last epoch, learning rate, whether to amplify, factor); None leaves the rate alone.
# Here five epochs are plain, the sixth measures, those to the 25th are amplified, with layers
# chosen anew every five, and five are plain again. With stochastic gradient descent a doubled
# gradient is a doubled step, while Adam would divide it away.

phases = [(5, None, False, 1), (25, None, True, 2), (30, None, False, 1)]


def train(**params):
    """Return the classifier, trained with one way to choose layers, or with none."""
    callbacks = [
        ("amplification", GradientAmplification(phases, threshold=0.7, reselect_every=5, **params))
    ]
    return TimeSeriesClassifier(
        "fcn",
        network_params={"n_filters": (32, 64, 32)},
        optimizer="sgd",
        momentum=0.0,
        lr=0.05,
        max_epochs=30,
        callbacks=callbacks if params else None,
        random_state=0,
    ).fit(X, y)


ways = {
    "plain": {},
    "layers that agree": {"measure": "G"},
    "random layers": {"strategy": "random"},
    "all layers": {"strategy": "all"},
}
models = {name: train(**params) for name, params in ways.items()}

# %%
# What was chosen
# ---------------
# Colours are the measures in standard deviations over the layers, full where they were measured
# and pale until the next analysis; dots mark layers and epochs that were amplified.

AmplificationDisplay.from_estimator(models["layers that agree"])
plt.show()

# %%
# What it was good for
# --------------------
# The loss falls faster, as it does with any longer step.

AmplificationDisplay.from_estimator(
    models["layers that agree"], plain=models["plain"], kind="curves"
)
plt.show()

# %%
for name, model in models.items():
    loss = np.mean(model.history_[-5:, "train_loss"])
    accuracy = model.score(data.X_test, data.y_test)
    print(f"{name:18} loss of the last five epochs {loss:.3f}, accuracy {accuracy:.3f}")

# %%
# One seed tells nothing apart. Studies with several, on images, vibration and time series, are in
# :doc:`/results/amplification`.
