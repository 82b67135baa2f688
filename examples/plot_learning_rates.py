"""
Choosing a learning rate
========================

How fast a network may learn depends on the network and the data. This example finds the range of
rates for a classifier of time series, trains it with a plain rate and with two schedules, and draws
what each did.
"""

# %%
# The data
# --------
# :func:`~skprog.datasets.load_ucr` brings ItalyPowerDemand from within sktime: days of electric
# power, 24 hours each, from winter or summer. It has 67 training cases and 1029 test cases.

import matplotlib.pyplot as plt

from skprog.callbacks import AdaptiveCycle, OneCycle
from skprog.datasets import load_ucr
from skprog.estimators import TimeSeriesClassifier
from skprog.model_selection import lr_range_test
from skprog.plots import LossCurveDisplay, LRFinderDisplay, LRScheduleDisplay

data = load_ucr("ItalyPowerDemand")
X, y = data.X_train, data.y_train
print("training cases, channels, timepoints", X.shape, "classes", data.target_names)

# %%
# The range
# ---------
# The test trains with a rate that rises from batch to batch. Left of the range nothing is learnt,
# right of it the loss rises again; ``lr_max_`` is a tenth of the rate of the lowest loss. Weights
# and random numbers are afterwards what they were.

model = TimeSeriesClassifier("fcn", batch_size=16, max_epochs=30, random_state=0)
found = lr_range_test(model, X, y)
print(f"from {found.lr_min_:.1g} to {found.lr_max_:.1g} in {found.time_:.1f} s")
LRFinderDisplay.from_range(found)
plt.show()

# %%
# The schedule before training
# ----------------------------
# :class:`~skprog.callbacks.OneCycle` rises to the highest rate and falls to almost nothing, while
# the momentum goes the other way. What a schedule will do can be seen without training.

n_batches = 5
LRScheduleDisplay.from_callback(
    OneCycle(found.lr_max_), n_batches=n_batches, n_epochs=model.max_epochs, momentum=True
)
plt.show()

# %%
# Three ways to train
# -------------------
# Adam at its usual 1e-3, OneCycle, and :class:`~skprog.callbacks.AdaptiveCycle`, which begins a
# new and lower cycle after ``patience`` epochs without a better loss. It watches the training loss
# here: with 67 cases none is spared for validation.

ways = {
    "Adam at 1e-3": [],
    "OneCycle": [("schedule", OneCycle(found.lr_max_))],
    "AdaptiveCycle": [("schedule", AdaptiveCycle(found.lr_max_, patience=2, monitor="train_loss"))],
}
models = {}
for name, callbacks in ways.items():
    model = TimeSeriesClassifier(
        "fcn", batch_size=16, max_epochs=30, callbacks=callbacks, random_state=0
    )
    models[name] = model.fit(X, y)
    print(f"{name:14} accuracy {model.score(data.X_test, data.y_test):.3f}")

# %%
# What they did
# -------------
# Above, the training loss; below, the rate of each batch. Dots mark where AdaptiveCycle began anew.

figure, axes = plt.subplots(2, 3, figsize=(13, 6.5), sharey="row", layout="constrained")
for (name, model), (above, below) in zip(models.items(), axes.T, strict=True):
    LossCurveDisplay.from_estimator(model, ax=above, scale="log")
    above.set_title(name)
    if name == "Adam at 1e-3":
        below.hlines(1e-3, 0, model.max_epochs)
        below.set(xlabel="Epoch", ylabel="Learning rate")
    else:
        LRScheduleDisplay.from_estimator(model, ax=below)
plt.show()

# %%
# One seed on one easy set says which way is simplest, not which is best. Over twelve networks and
# six sets the three are not told apart by accuracy: see :doc:`/results/lr_schedules`.
