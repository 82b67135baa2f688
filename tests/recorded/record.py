"""Record what every estimator predicts and how it trained, as digests that later versions repeat.

``python tests/recorded/record.py`` prints the digests; ``--write`` records them anew, which is
right only where a result was to change: the commit says which and why. ``--files`` writes the files
of this folder, too; they stand for those that users have, and a new format keeps them beside its
own.

The same bits come out of any x86-64 processor, since libraries are told to use none but old
instructions, and of one set of versions, that of ``constraints.txt``.
"""

import argparse
import json
import os
import sys

# Read when the libraries are loaded.
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "TQDM_DISABLE": "1",
}


def main():
    """Print or write the digests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record the digests anew")
    parser.add_argument("--files", action="store_true", help="write the files of estimators anew")
    arguments = parser.parse_args()
    os.environ.update(PORTABLE)
    import cases

    if arguments.files:
        cases.write_files()
    record = json.dumps({"versions": cases.VERSIONS, "digests": cases.digests()}, indent=1)
    if arguments.write:
        (cases.FOLDER / "digests.json").write_text(record + "\n", encoding="utf-8")
    else:
        sys.stdout.write(record)


if __name__ == "__main__":
    main()
