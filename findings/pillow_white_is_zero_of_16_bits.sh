#!/usr/bin/env bash
# Pillow 13.0.0: a grey TIFF in which 0 is white (PhotometricInterpretation, tag 262, is 0) is turned
# round when it has 8 bits and handed on as a negative when it has 16.
#
# The guess, written before running: both come back with 0 as black, as mode "L" and "I;16" promise no
# other meaning, and as 8 bits do.
#
# Seen: the same scene, a bright bead of 250 / 255 on a dark ground of 5 / 255, stored with 0 as white:
#   8 bits: bead 250 ground 5
#   16 bits: bead 1285 ground 64250
#
# In skprog: load_sem turns images of more than 8 bits itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import struct
import sys

import numpy as np
from PIL import Image

LONG = 4


def write(path, values):
    height, width = values.shape
    data = values.tobytes()
    tags = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: 0, 273: 8, 277: 1}
    tags |= {278: height, 279: len(data)}
    with open(path, "wb") as file:
        file.write(b"II*\0" + struct.pack("<I", 8 + len(data)) + data)
        file.write(struct.pack("<H", len(tags)))
        for tag, number in tags.items():
            file.write(struct.pack("<HHII", tag, LONG, 1, number))
        file.write(struct.pack("<I", 0))


scene = np.array([[5, 250], [5, 5]])
for bits, kind in ((8, "u1"), (16, "<u2")):
    white = 2**bits - 1
    stored = white - scene * white // 255
    write(f"{sys.argv[1]}/x.tif", stored.astype(kind))
    read = np.array(Image.open(f"{sys.argv[1]}/x.tif"))
    print(f"{bits} bits: bead {read[0, 1]} ground {read[0, 0]}")
PY
seen=$("$folder/venv/bin/python" "$folder/look.py" "$folder")
echo "$seen"
test "$seen" = "8 bits: bead 250 ground 5
16 bits: bead 1285 ground 64250"
