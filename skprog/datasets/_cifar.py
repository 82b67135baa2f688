"""Small colour images of ten or a hundred classes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_option
from ._folders import data_folder

if TYPE_CHECKING:
    from os import PathLike
    from typing import Literal

CIFAR_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SHAPE = (3, 32, 32)
N_IMAGES = 10_000  # per file of ten classes, and in the test file of a hundred
SUBSET = "cifar10_subset.npz"

# By number of classes: folders that the official archives unpack to, files of training and of test
# images, files of the names that each record's labels stand for.
BINARY_FOLDERS = {10: "cifar-10-batches-bin", 100: "cifar-100-binary"}
PYTHON_FOLDERS = {10: "cifar-10-batches-py", 100: "cifar-100-python"}
PYTHON_FILES = {10: "data_batch_1", 100: "train"}
FILES = {
    10: ([f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]),
    100: (["train.bin"], ["test.bin"]),
}
NAMES = {
    10: {"batches.meta.txt": 10},
    100: {"coarse_label_names.txt": 20, "fine_label_names.txt": 100},
}

DESCR = """CIFAR-{version}: colour images of 32 x 32 pixels, {version} classes

{n_train} training and {n_test} test images{origin}.

Source
    {page}
Terms
    No licence is stated; a citation is asked for.
Citation
    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
    University of Toronto, 2009.
Loaded
    {folder}
"""
SUBSET_ORIGIN = """ of CIFAR-10, a subset.

The pixels are not the official ones: they went through JPEG files, which lose detail. With that and
a tenth of the images, accuracies are not comparable to published ones"""


def load_cifar(
    data_home: str | PathLike[str] | None = None, *, version: Literal[10, 100] = 10
) -> Bunch:
    """Load the images of CIFAR-10 or CIFAR-100 [1]_.

    Reads the official binary version. Without it, CIFAR-10 can come from a file
    ``cifar10_subset.npz``, whose pixels and number of images are others.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the unpacked files, or one that holds ``cifar-10-batches-bin`` or
        ``cifar-100-binary``, as the official archives unpack to. None takes the folder ``cifar10``
        or ``cifar100`` in the one that the environment variable ``SKPROG_DATA`` names.
    version : {10, 100}, default=10
        Number of classes.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        The images, in the order of the files, with these fields:

        X_train : ndarray of shape (n_images, 3, 32, 32), uint8
            Training images: red, green and blue.
        y_train : ndarray of shape (n_images,), str
            Class of each.
        X_test : ndarray of shape (n_images, 3, 32, 32), uint8
            Test images.
        y_test : ndarray of shape (n_images,), str
            Class of each.
        target_names : list of str
            The classes, in the order of ``numpy.unique``.
        coarse_train : ndarray of shape (n_images,), str
            Which of 20 groups of classes each training image belongs to; of CIFAR-100 only.
        coarse_test : ndarray of shape (n_images,), str
            The same of the test images.
        source : {"binary", "subset"}
            Whether the images are the official ones.
        DESCR : str
            Source, terms, citation and what was loaded.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is damaged or truncated, there is the Python version only, or ``version`` is
        neither 10 nor 100.
    TypeError
        If ``data_home`` is not a path.

    See Also
    --------
    skprog.estimators.ImageClassifier : Networks for such images.

    Notes
    -----
    The Python version is not read: it is made of pickles, which can run any code when opened.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
       University of Toronto, 2009.

    Examples
    --------
    >>> from skprog.datasets import load_cifar
    >>> data = load_cifar("data/cifar-10-batches-bin")  # doctest: +SKIP
    >>> data.X_train.shape, data.source  # doctest: +SKIP
    ((50000, 3, 32, 32), 'binary')
    """
    check_option("version", version, tuple(FILES))
    version = int(version)
    folder, is_binary = _find(data_home, version)
    if is_binary:
        source, origin, fields = "binary", "", _read_binary(folder, version)
    else:
        source, origin, fields = "subset", SUBSET_ORIGIN, _read_subset(folder / SUBSET)
    return Bunch(
        **fields,
        source=source,
        DESCR=DESCR.format(
            version=version,
            n_train=len(fields["X_train"]),
            n_test=len(fields["X_test"]),
            origin=origin,
            page=CIFAR_PAGE,
            folder=folder,
        ),
    )


def _find(data_home, version):
    """Return the folder of the images, and whether they are the official binary files."""
    home = data_folder(data_home, f"cifar{version}", CIFAR_PAGE)
    if data_home is not None:
        where = "from data_home"
    else:
        where = f"from SKPROG_DATA={os.environ['SKPROG_DATA']}"
    first = FILES[version][0][0]
    for folder in (home, home / BINARY_FOLDERS[version]):
        if (folder / first).is_file():
            return folder, True
    if version == 10 and (home / SUBSET).is_file():
        return home, False
    for folder in (home, home / PYTHON_FOLDERS[version]):
        if (folder / PYTHON_FILES[version]).is_file():
            raise ValueError(
                f"{folder} holds the Python version, pickles, which can run any code when opened; "
                f"fetch the binary version from {CIFAR_PAGE}."
            )
    raise FileNotFoundError(
        f"No images of CIFAR-{version} in {home} ({where}): expected {first} and the other files "
        f"of the binary version, unpacked, in it or in its folder {BINARY_FOLDERS[version]}. The "
        f"data come from {CIFAR_PAGE}."
    )


def _read_binary(folder, version):
    names = [_read_names(folder / file, n) for file, n in NAMES[version].items()]
    fields = {"target_names": names[-1].tolist()}
    for part, files in zip(("train", "test"), FILES[version], strict=True):
        n_images = N_IMAGES * 5 if files == ["train.bin"] else N_IMAGES
        records = [_read_records(folder / file, names, n_images) for file in files]
        pixels, *labels = (np.concatenate(each) for each in zip(*records, strict=True))
        fields[f"X_{part}"] = pixels.reshape(-1, *SHAPE)
        fields[f"y_{part}"] = labels[-1]
        if version == 100:
            fields[f"coarse_{part}"] = labels[0]
    return fields


def _read_names(path, n_names):
    try:
        # Each once, so that repeated ones are too few.
        names = np.array([*dict.fromkeys(_contents(path).decode("utf-8-sig").split())])
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    if len(names) != n_names:
        raise _damaged(path, f"{len(names)} names where {n_names} are due")
    return names


def _read_records(path, names, n_images):
    """Return the pixels of a file, (n_images, 3072), and the names of each kind of label."""
    contents = np.frombuffer(_contents(path), dtype=np.uint8)
    n_bytes = len(names) + int(np.prod(SHAPE))
    if len(contents) != n_images * n_bytes:
        raise _damaged(path, f"{len(contents)} bytes where {n_images * n_bytes} are due")
    records = contents.reshape(n_images, n_bytes)
    for column, known in enumerate(names):
        _check_numbers(path, records[:, column], known)
    labels = (known[records[:, column]] for column, known in enumerate(names))
    return records[:, len(names) :], *labels


def _read_subset(path):
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = file["class_names"]
            pixels = file["x_train"], file["x_test"]
            numbers = file["y_train"], file["y_test"]
    except Exception as error:  # zipfile, zlib and NumPy raise about ten kinds
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if names.ndim != 1 or names.dtype.kind != "U":
        raise _damaged(path, f"names of {names.dtype} and shape {names.shape}")
    fields = {"target_names": names.tolist()}
    for part, X, y in zip(("train", "test"), pixels, numbers, strict=True):
        if y.ndim != 1 or not len(y) or not np.issubdtype(y.dtype, np.integer):
            raise _damaged(path, f"labels of {y.dtype} and shape {y.shape}")
        if X.dtype != np.uint8 or X.shape != (len(y), *SHAPE):
            raise _damaged(path, f"images of {X.dtype} and shape {X.shape}")
        _check_numbers(path, y, names)
        fields |= {f"X_{part}": X, f"y_{part}": names[y]}
    return fields


def _check_numbers(path, numbers, names):
    for number in (numbers.min(), numbers.max()):
        if not 0 <= number < len(names):
            raise _damaged(path, f"a label {number} where 0 to {len(names) - 1} are known")


def _contents(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} not in {path.parent}, which has other files of the set. The data come "
            f"from {CIFAR_PAGE}."
        )
    return path.read_bytes()


def _damaged(path, what):
    return ValueError(f"{path} is truncated or damaged ({what}); fetch it again from {CIFAR_PAGE}.")
