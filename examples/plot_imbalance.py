"""
Diagnosing faults that are rare
===============================

Machines run healthy for months, so that windows of faults are few. This example trains one network
on 800 healthy windows and 16 of each of eleven bearing faults, with three losses.
"""

# %%
# The data
# --------
# :func:`~skprog.datasets.make_bearing_faults` simulates twelve states of a bearing: healthy, and
# faults of the inner race, a ball or the outer race of several sizes. Another seed gives the test
# windows, 30 of each state.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import recall_score

from skprog.callbacks import GradientSimilarity
from skprog.datasets import make_bearing_faults
from skprog.estimators import GHLClassifier
from skprog.plots import GradientSimilarityDisplay

train = make_bearing_faults([800] + 11 * [16], random_state=0)
test = make_bearing_faults(30, random_state=1)
names = np.array(train.target_names)
print("training windows", dict(zip(train.target_names, np.bincount(train.y).tolist(), strict=True)))

# %%
# Three losses
# ------------
# The plain cross-entropy leaves the network to the healthy windows, which outvote the others in
# each batch. "class_cost" weighs classes by their inverse frequency. "ghl", the default, divides
# the loss of a window by how many of its class have a similar gradient, and less so from epoch to
# epoch, as the classes are learnt. Everything else is equal; a callback records how similar the
# gradients are.

models = {}
for loss in ("cross_entropy", "class_cost", "ghl"):
    models[loss] = GHLClassifier(
        loss=loss, callbacks=[("similarity", GradientSimilarity())], random_state=0
    ).fit(train.X, names[train.y])

# %%
# What they tell
# --------------
# Recall of each state is the share of its test windows that are told rightly; its mean over states
# is the balanced accuracy.

recalls = {
    loss: recall_score(names[test.y], model.predict(test.X), labels=names, average=None)
    for loss, model in models.items()
}
for loss, recall in recalls.items():
    print(f"{loss:14} balanced accuracy {recall.mean():.2f}, healthy {recall[0]:.2f}")

# %%
# Left, the recall of each state. Right, the mean angle between the gradients within each class:
# under the plain loss those of the faults stay alike until the healthy windows have been learnt.

figure, axes = plt.subplots(1, 3, figsize=(14, 4.5), layout="constrained")
for offset, (loss, recall) in zip((-0.25, 0, 0.25), recalls.items(), strict=True):
    axes[0].barh(np.arange(12) + offset, recall, height=0.25, label=loss)
axes[0].set_yticks(range(12), names)
axes[0].invert_yaxis()
axes[0].set_xlabel("recall")
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
for ax, loss in zip(axes[1:], ("cross_entropy", "ghl"), strict=True):
    GradientSimilarityDisplay.from_estimator(models[loss], ax=ax)
    ax.set_title(loss)
axes[1].get_legend().remove()
plt.show()

# %%
# One seed proves little. On measured bearings, ten seeds of each loss are in
# :doc:`/results/ghl`, where weighing classes does as well as weighing gradients: try
# ``loss="class_cost"``, ``loss_params={"alpha": 0.5}`` and ``class_weight="balanced"`` in a search
# on your own data.
