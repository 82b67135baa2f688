"""
Finding beads in micrographs of nanofibres
==========================================

An electrospun mat is homogeneous, or it has beads. This example learns to tell from whole images
with one label each, and maps where the beads are, which no label says.
"""

# %%
# The data
# --------
# :func:`~skprog.datasets.make_nanofibers` simulates micrographs, every second one with beads, and
# knows their pixels. This is its easy preset, whose beads are large and bright. Those of the
# standard one are as grey as the fibres, and take many more images and steps.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skprog.datasets import make_nanofibers
from skprog.estimators import SEMClassifier
from skprog.plots import DefectMapDisplay, FeatureMapDisplay

train = make_nanofibers(64, size=384, difficulty="easy", random_state=0)
test = make_nanofibers(12, size=384, difficulty="easy", random_state=1)
names = np.array(train.target_names)
print(train.images.shape, "with beads:", np.count_nonzero(train.target))

# %%
# Training on tiles
# -----------------
# ``tiles="all"`` cuts every image into tiles of 192 x 192 pixels, which all take the label of
# their image, wrong as it is for the tiles without a bead. ``head="local"`` gives each place of
# the last block a verdict of its own, so that one bead is enough. The network is a small one.

model = SEMClassifier(
    tiles="all",
    patch_size=192,
    head="local",
    n_blocks=3,
    n_filters=(8, 16, 16),
    augment=True,
    optimizer="adam",
    lr=2e-3,
    batch_size=16,
    max_steps=140,
    random_state=0,
)
model.fit(train.images, names[train.target])
print(f"images told rightly: {model.score(test.images, names[test.target]):.2f}")

# %%
# What the network sees
# ---------------------
# The filters of the third block, as in Fig. 4 of the paper.

FeatureMapDisplay.from_estimator(model, test.images[1], block=3)
plt.show()

# %%
# Where the beads are
# -------------------
# The map is the probability of beads at every pixel. It was learnt from image labels alone; the
# masks serve to judge it only.

maps = model.defect_map(test.images)
beaded = test.target == 1
auroc = [
    roc_auc_score(mask.ravel(), scores.ravel())
    for mask, scores in zip(test.masks[beaded], maps[beaded], strict=True)
]
print(f"area under the ROC curve of the pixels: {np.mean(auroc):.2f}")

figure, axes = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
for ax, i in zip(axes, (1, 0), strict=True):
    DefectMapDisplay(test.images[i], maps[i], mask=test.masks[i]).plot(ax=ax)
    ax.set_title(names[test.target[i]])
plt.show()
