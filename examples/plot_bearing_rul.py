"""
From raw vibration to a maintenance decision
============================================

A network that has heard bearings fail predicts how long an unseen one has left, and a rule turns
that into the time at which to replace it. Two baselines that hear nothing stand beside it.
"""

# %%
# Bearings that ran to failure
# ----------------------------
# A window holds 0.1 s of horizontal and vertical acceleration, one every 10 s. By default bearings
# are simulated; ``make demo DATA=folder`` reads the real ones of the IEEE PHM 2012 challenge and
# splits them as the paper does. The model never meets a test bearing in training.

import os
from pathlib import Path

import numpy as np

from skprog.datasets import load_femto, make_run_to_failure, paper_split

folder = os.environ.get("DATA")
if folder:
    data = load_femto(folder, verbose=1)
    test = paper_split(data.bearings).test
    settings = {"max_epochs": 14}
else:
    data = make_run_to_failure(n_runs=12, random_state=1)
    test = data.bearings[-3:]
    settings = {"max_epochs": 12, "lr": 2e-3, "lr_decay": 0.9}  # small data, larger steps
settings["max_epochs"] = int(os.environ.get("EPOCHS") or settings["max_epochs"])

# %%
# Rows that carry their own past
# ------------------------------
# Each row of ``X`` is one moment of one bearing: its last 32 windows, held once and not copied.

from skprog.sequences import RunSequences

context = {"condition": data.condition}
X = RunSequences.from_runs(data.windows, data.runs, time=data.time, context=context)
y = data.rul[X.ends]
in_test = np.isin(X.runs, test)
X

# %%
# The model, and what it has to beat
# ----------------------------------
# The first three steps make spectrograms of each window: a third axis at 45°, the power spectral
# density below 8.4 kHz, the largest of every four bins. The network reads 32 of them.

from sklearn.pipeline import make_pipeline

from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.preprocessing import AccelRotation45, FrequencyMaxPool, WelchSpectrogram

network = CnnLstmRUL(**settings, random_state=0, verbose=1)
models = {
    "CnnLstmRUL": make_pipeline(
        AccelRotation45(), WelchSpectrogram(f_max=8400), FrequencyMaxPool(4), network
    ),
    "mean life": DummyRUL(by="condition"),
    "constant": DummyRUL("constant", constant=y[~in_test].mean()),
}
X_test, y_test, runs = X[in_test], y[in_test], X.runs[in_test]
rul = {name: model.fit(X[~in_test], y[~in_test]).predict(X_test) for name, model in models.items()}

# %%
# Errors of the prediction and of the decision
# --------------------------------------------
# A bearing is replaced once its smoothed RUL is down to 10 % of the maximum expected life (MEL).
# The error of that time is in % of MEL, early above 0; a bearing that is not replaced in time has
# failed. RMSE and MAE are in s, RCD is the relative change difference in [-1, 1], late above 0.

from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from skprog.metrics import phm2012_score, relative_change_difference, replacement_error

max_life = y[~in_test].max()
lines = [f"{'bearing':14}{'model':12}{'replaced':>10}{'RMSE':>8}{'MAE':>8}{'RCD':>7}"]
for name, y_pred in rul.items():
    result = replacement_error(y_test, y_pred, runs=runs, max_life=max_life)
    changes = relative_change_difference(y_test, y_pred, runs=runs)
    for i, run in enumerate(result.runs):
        pair = y_test[runs == run], y_pred[runs == run]
        rmse, mae = root_mean_squared_error(*pair), mean_absolute_error(*pair)
        replaced = "failed" if result.failed_in_service[i] else f"{result.error[i]:+.1f} %"
        lines.append(f"{run:14}{name:12}{replaced:>10}{rmse:8.0f}{mae:8.0f}{changes[i]:7.2f}")
n_train = len(data.bearings) - len(test)
lines.append(f"\nPHM 2012 score (life), n_test={len(test)}, n_train={n_train}; 1 is perfect")
for name, y_pred in rul.items():
    lines.append(f"{name:12}{phm2012_score(y_test, y_pred, runs=runs):.2f}")
print("\n".join(lines))

# %%
# What the network hears
# ----------------------
# While a bearing is young the network can only guess. Nearer to failure errors get small.

from skprog.plots import PredictedVsTrueDisplay, RelativeChangeDisplay, RULDisplay

pair, rule = (y_test, rul["CnnLstmRUL"]), {"runs": runs, "max_life": max_life}
displays = {
    "relative_change": RelativeChangeDisplay.from_predictions(*pair),
    "predicted_vs_true": PredictedVsTrueDisplay.from_predictions(*pair, **rule),
}

# %%
# Once the fault is loud the prediction follows the true RUL down, and the bearing is replaced.
# Three bearings are too few to rank methods: another seed gives other figures.

displays["rul"] = RULDisplay.from_predictions(*pair, time=X_test.time, **rule)
output = Path(os.environ.get("DEMO_OUTPUT", "demo-output"))
output.mkdir(parents=True, exist_ok=True)
(output / "table.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
for name, display in displays.items():
    display.figure_.savefig(output / f"{name}.png", dpi=150)
print(f"table.txt and {len(displays)} figures are in {output.name}/")
