"""The states of the bearings of Case Western Reserve University, as they are spelt."""

# Part at fault and its diameter in mm, in the order of the class indices.
STATES = {
    "Normal": (None, 0.0),
    "IR007": ("inner race", 0.1778),
    "IR014": ("inner race", 0.3556),
    "IR021": ("inner race", 0.5334),
    "IR028": ("inner race", 0.7112),
    "B007": ("ball", 0.1778),
    "B014": ("ball", 0.3556),
    "B021": ("ball", 0.5334),
    "B028": ("ball", 0.7112),
    "OR007@6": ("outer race", 0.1778),
    "OR014@6": ("outer race", 0.3556),
    "OR021@6": ("outer race", 0.5334),
}
