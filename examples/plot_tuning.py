"""
Tuning a pipeline by three searches
===================================

A network has settings that nobody knows beforehand. This example looks for the learning rate and
the size of the LSTM of one pipeline by three searches, and counts the epochs that each takes.
"""

# %%
# The data
# --------
# Four simulated bearings to search on and two to judge by, which no search sees. Rows of
# :class:`~skprog.sequences.RunSequences` carry their past, so that scikit-learn may split them; by
# run, since neighbouring rows share windows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, GroupKFold, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline

from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.model_selection import HyperbandSearchCV
from skprog.preprocessing import WelchSpectrogram
from skprog.sequences import RunSequences

data = make_run_to_failure(n_runs=6, n_windows=24, n_timepoints=1024, random_state=0)
X = RunSequences.from_runs(data.windows, data.runs, n_steps=8, time=data.time)
y = data.rul[X.ends]  # s
is_new = np.isin(X.runs, data.bearings[-2:])
X_new, y_new, X, y = X[is_new], y[is_new], X[~is_new], y[~is_new]

# %%
# One pipeline, one space
# -----------------------
# Parameters of a step have its name before them. Every search takes the same splits and scores.

model = make_pipeline(
    WelchSpectrogram(nperseg=256, hop=32, f_max=8400), CnnLstmRUL(lr_decay=1.0, random_state=0)
)
space = {
    "cnnlstmrul__lr": [3e-4, 1e-3, 3e-3, 1e-2],
    "cnnlstmrul__lstm_units": [8, 32, 112],
}
shared = {"cv": GroupKFold(2), "scoring": "neg_mean_absolute_error", "refit": True}
epochs = "cnnlstmrul__max_epochs"

# %%
# Three searches
# --------------
# ``GridSearchCV`` trains every candidate to the end. ``HalvingRandomSearchCV`` trains all of them
# briefly and the best third longer, again and again. How briefly one may judge it does not know;
# :class:`~skprog.model_selection.HyperbandSearchCV` tries several answers.

halving = {"resource": epochs, "max_resources": 9, "random_state": 0}
searches = {
    "grid": GridSearchCV(model.set_params(**{epochs: 9}), space, **shared),
    "halving": HalvingRandomSearchCV(
        model, space, n_candidates=12, min_resources=1, factor=3, **halving, **shared
    ),
    "hyperband": HyperbandSearchCV(model, space, **halving, **shared),
}
trained = {}
for name, search in searches.items():
    search.fit(X, y, groups=X.runs)
    n_candidates = len(search.cv_results_["mean_test_score"])
    trained[name] = np.asarray(search.cv_results_.get("n_resources", [9] * n_candidates))

# %%
# What they found
# ---------------
# The epochs of all candidates, the error in the search, and the error on the two bearings that were
# kept apart. :class:`~skprog.estimators.DummyRUL`, which hears no vibration, says what an error is
# worth.

for name, search in searches.items():
    mae = mean_absolute_error(y_new, search.predict(X_new))
    chosen = {key.partition("__")[2]: value for key, value in search.best_params_.items()}
    print(
        f"{name:10} {trained[name].sum():4} epochs, MAE {-search.best_score_:.0f} s in the search, "
        f"{mae:.0f} s on new bearings: {chosen}"
    )
mae = mean_absolute_error(y_new, DummyRUL().fit(X, y).predict(X_new))
print(f"mean life less age: {mae:.0f} s on new bearings")

# %%
# Each candidate is a point where its training ended, and the line is the best so far. All three
# choose the same learning rate and size; the grid takes the most epochs for it, halving the fewest.

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, search in searches.items():
    spent = np.cumsum(trained[name])
    errors = -search.cv_results_["mean_test_score"]
    (line,) = ax.step(spent, np.fmin.accumulate(errors), where="post", label=name)
    ax.plot(spent, errors, ".", color=line.get_color(), alpha=0.5)
ax.set_xlabel("epochs trained so far")
ax.set_ylabel("MAE in the search [s]")
ax.legend()
plt.show()

# %%
# Twelve candidates on four bearings show what searches cost, not which of them answers best.
# Several seeds, searches on a cluster and the paper's own search space are in :doc:`/guide/tuning`.
