"""Micrographs of a folder and their labels."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_integer, warn
from ._folders import check_path, data_folder
from ._image_files import FORMATS, import_pillow, read_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Literal

SEM_PAGE = "https://github.com/cagriyardimci/Nanofiber_SEM_Dataset"
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
BORDERS = ("border_top", "border_bottom", "border_left", "border_right")

DESCR = """Micrographs and their labels

{n} grey images of {folder}, labels from {origin}.

Loaded
{loaded}
"""


def load_sem(
    data_home: str | PathLike[str] | None = None,
    labels: str | PathLike[str] | Mapping[str, str] | None = None,
    *,
    crop: int | Sequence[int] | Literal["stated"] = "stated",
    folder: str | PathLike[str] | None = None,
) -> Bunch:
    """Load micrographs and their labels, such as those of electrospun nanofibres [1]_.

    Reads PNG, TIFF, JPEG, BMP, GIF and WebP files, grey or in colour, of 8 or 16 bits.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds the images. None takes the folder ``sem`` in the one that the environment
        variable ``SKPROG_DATA`` names.
    labels : str, path-like or dict of str to str, default=None
        Path of a CSV file, or the label of each file by its name within ``data_home``, such as
        ``{"images/a.png": "homogeneous"}``. None takes ``labels.csv`` in ``data_home``, or where
        there is none the names of its subfolders.

        The CSV file has the columns ``file``, the name within ``data_home``, and ``label``; it may
        have ``sample_group``, ``field_group`` and ``border_top``, ``border_bottom``,
        ``border_left``, ``border_right`` in px; others are left unread. Commas separate its
        columns, or semicolons. Folders that it names images of hold none that it does not name.
    crop : "stated", int or (int, int, int, int), default="stated"
        Pixels to cut off: the borders that the CSV file states for each image, so that an image
        of which none is stated stays as it is, as many all round, or so many at the top, the
        bottom, the left and the right, for a data bar below the image. For the micrographs of [1]_,
        which black borders of up to 5 px frame, 6 is better: it cuts off what dark rows and columns
        lie beside the stated borders, mostly of one class, and leaves images of one size.
    folder : str or path-like, default=None
        Old name of ``data_home``.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        One entry per image, in the order of the labels or, where subfolders are the labels, of the
        names, with these fields:

        images : list of ndarray of shape (height, width), uint8 or uint16
            Grey images, as bright as in the file. Colours become their luminance.
        target : ndarray of shape (n_images,), str
            Labels as given.
        groups : ndarray of shape (n_images,), str, or None
            Specimen that each image shows, from ``sample_group``.
        field_groups : ndarray of shape (n_images,), str, or None
            Field of view, from ``field_group``: images of one overlap.
        files : list of str
            Name of each file within ``data_home``.
        DESCR : str
            What was loaded, and how many specimens have images of one label only.

    Raises
    ------
    FileNotFoundError
        If the folder, its images, the CSV file or an image that is labelled is missing.
    ValueError
        If an image is damaged, blank, neither of 8 nor of 16 bits, without a label, no larger than
        what is cut off or one of several in a file, or if the CSV file lacks a column or a value or
        labels a file twice.
    TypeError
        If a parameter has the wrong type, or a label is not a string.
    ImportError
        If Pillow is missing.

    Warns
    -----
    FutureWarning
        If ``folder`` is given.
    UserWarning
        If images of other formats are left out.

    See Also
    --------
    make_nanofibers : Simulated micrographs with the place of every bead.

    Notes
    -----
    Hidden files are left out. Images in subfolders of subfolders have the label of the outer one.
    Of a file with several pages the largest is read, which the others show in small. Pillow
    reduces 16 bits of a colour to 8; convert such files to grey before.

    The micrographs of [1]_ are public without a stated licence, with a request for citation. They
    were smoothed (bilateral filter) before and are offered as many shifted copies, some of them in
    its training and its test folder both: keep one of each.

    Mind what else differs between labels: in the micrographs of [1]_ light and magnification differ
    from specimen to specimen and every specimen has one label, so that those of one specimen must
    not be in training and test data both: split them by ``groups``, for example with
    :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    References
    ----------
    .. [1] C. Yardimci and M. Ersoy, "Automated defect classification of electrospun
       polyacrylonitrile nanofibers via deep learning of SEM images", The Visual Computer, 2025.

    Examples
    --------
    >>> from skprog.datasets import load_sem
    >>> data = load_sem("data/sem", crop=6)  # doctest: +SKIP
    >>> len(data.images), data.images[0].shape, len(set(data.groups))  # doctest: +SKIP
    (70, (688, 1012), 14)
    """
    border = None if isinstance(crop, str) and crop == "stated" else _check_crop(crop)
    image_module = import_pillow()
    if folder is not None:
        warn(
            "folder is the old name of data_home and will be taken no longer; pass data_home.",
            FutureWarning,
        )
        if data_home is not None:
            raise TypeError("folder is the old name of data_home; pass one of them.")
        data_home = folder
    folder = _find_folder(data_home)
    table, origin = _read_labels(folder, labels)
    _warn_of_other_formats(folder, image_module.registered_extensions())
    borders = [_borders(row, origin) if border is None else border for row in table]
    images = [
        read_image(image_module, folder / row["file"], border)
        for row, border in zip(table, borders, strict=True)
    ]
    target, groups, field_groups = (
        np.array([row[column] for row in table]) if column in table[0] else None
        for column in ("label", "sample_group", "field_group")
    )
    return Bunch(
        images=images,
        target=target,
        groups=groups,
        field_groups=field_groups,
        files=[row["file"] for row in table],
        DESCR=DESCR.format(
            n=len(images),
            folder=folder,
            origin=origin,
            loaded="\n".join(_summary(images, target, groups)),
        ),
    )


def _check_crop(crop):
    """Return how many px to cut off at the top, the bottom, the left and the right."""
    if isinstance(crop, str):
        raise ValueError(f"crop={crop!r} is not 'stated' and no number of px.")
    if not isinstance(crop, list | tuple | np.ndarray):
        return (check_integer("crop", crop, minimum=0),) * 4
    if len(crop) != 4:
        raise ValueError(
            f"crop={crop!r} holds {len(crop)} numbers; give px at the top, bottom, left and right."
        )
    return tuple(check_integer("crop", px, minimum=0) for px in crop)


def _warn_of_other_formats(folder, known):
    """Warn of images that Pillow knows by their names and that are left out here."""
    others = known.keys() - {*SUFFIXES}
    left_out = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in others and path.is_file()
    )
    if left_out:
        warn(
            f"{len(left_out)} images of other formats are left out, such as {left_out[0]}; save "
            f"them as one of {', '.join(FORMATS)}."
        )


def _find_folder(data_home):
    folder = data_folder(data_home, "sem", SEM_PAGE)
    if data_home is None:
        origin = f"from SKPROG_DATA={os.environ['SKPROG_DATA']}"
    else:
        origin = "from data_home; without it, SKPROG_DATA names the folder that holds 'sem'"
    if not _list_images(folder, "**/*"):
        raise FileNotFoundError(
            f"No images in {folder} ({origin}): expected files {', '.join(SUFFIXES)} in it or its "
            f"subfolders. The data come from {SEM_PAGE}."
        )
    return folder


def _list_images(folder, pattern):
    """Return the names of the images in a folder, sorted, leaving out hidden files and folders."""
    paths = (path for path in folder.glob(pattern) if path.suffix.lower() in SUFFIXES)
    names = (path.relative_to(folder).as_posix() for path in paths if path.is_file())
    return sorted(name for name in names if not name.startswith(".") and "/." not in name)


def _read_labels(folder, labels):
    """Return a row of text per image, which has at least a file and a label, and where from."""
    if isinstance(labels, Mapping):
        return _check_rows(folder, _dict_rows(labels), "labels"), "a dict"
    if labels is None and not (folder / "labels.csv").is_file():
        return _subfolder_rows(folder), "its subfolders"
    path = folder / "labels.csv" if labels is None else _check_labels_path(labels)
    return _check_rows(folder, _csv_rows(path), path), path


def _check_labels_path(labels):
    if not isinstance(labels, str | os.PathLike):
        raise TypeError(f"labels={labels!r} must be the path of a CSV file or a dict.")
    path = check_path("labels", labels)
    if not path.is_file():
        raise FileNotFoundError(f"labels={str(labels)!r} is no file; give the path of a CSV file.")
    return path


def _dict_rows(labels):
    for file, label in labels.items():
        if not isinstance(file, str) or not isinstance(label, str):
            raise TypeError(
                f"labels has {file!r}: {label!r}; give the name of each file and its label, both "
                "as strings."
            )
    return [{"file": file, "label": label} for file, label in labels.items()]


def _csv_rows(path):
    try:
        # Spreadsheets write a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
        header = text.partition("\n")[0]
        separator = ";" if ";" in header and "," not in header else ","
        options = {"delimiter": separator, "skipinitialspace": True, "strict": True}
        lines = list(csv.reader(io.StringIO(text), **options))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8 ({error}); save it anew.") from error
    rows = [[cell.strip() for cell in line] for line in lines if any(map(str.strip, line))]
    header = rows.pop(0) if rows else []
    for column in ("file", "label"):
        if header.count(column) != 1:
            raise ValueError(
                f"{path} has {header.count(column)} columns {column!r}; one is due. Its columns "
                f"are {', '.join(header) or 'none'}."
            )
    for row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"{path} has {len(row)} values in the row of {row[0]!r} where its {len(header)} "
                "columns are due; quote values that contain a separator."
            )
    return [dict(zip(header, row, strict=True)) for row in rows]


def _check_rows(folder, rows, origin):
    """Return the rows with names as they are in the folder, refusing any that is not whole."""
    if not rows:
        raise ValueError(f"{origin} names no file; give a file and its label at least.")
    for row in rows:
        for column in ("file", "label", "sample_group", "field_group"):
            if row.get(column) == "":
                raise ValueError(
                    f"{origin} gives no {column} for {row['file'] or 'a file'}; fill it in or drop "
                    "the row."
                )
        row["file"] = PurePosixPath(row["file"].replace("\\", "/")).as_posix()
        if not (folder / row["file"]).is_file():
            raise FileNotFoundError(
                f"{folder / row['file']} is missing, which {origin} names; names are relative to "
                "the folder of the images."
            )
    counts = Counter(row["file"] for row in rows)
    file, count = counts.most_common(1)[0]
    if count > 1:
        raise ValueError(f"{origin} names {file} {count} times; keep one row of each file.")
    for parent in dict.fromkeys(PurePosixPath(file).parent for file in counts):
        for name in _list_images(folder / parent, "*"):
            if (parent / name).as_posix() not in counts:
                raise ValueError(
                    f"{folder / parent / name} has no label in {origin}; add one, or move the file "
                    "to another folder."
                )
    return rows


def _subfolder_rows(folder):
    rows = []
    for file in _list_images(folder, "**/*"):
        label, *rest = PurePosixPath(file).parts
        if not rest:
            raise ValueError(
                f"{folder / file} has no label: without labels, and without a file labels.csv, "
                "subfolders are the labels; move it into one, or give labels."
            )
        rows.append({"file": file, "label": label})
    return rows


def _borders(row, origin):
    """Return the borders that a row states, in px at the top, bottom, left and right."""
    stated = {column: row.get(column, "0") for column in BORDERS}
    for column, border in stated.items():
        if not (border.isascii() and border.isdigit()):
            raise ValueError(
                f"{origin} gives the {column} {border!r} for {row['file']}; give px as a whole "
                "number of at least 0."
            )
    return tuple(map(int, stated.values()))


def _summary(images, target, groups):
    for label, count in zip(*np.unique(target, return_counts=True), strict=True):
        yield f"    {label}: {count} images"
    heights, widths = zip(*(image.shape for image in images), strict=True)
    yield (
        f"    {min(heights)} to {max(heights)} px high, {min(widths)} to {max(widths)} px wide, "
        f"{' and '.join(sorted({str(image.dtype) for image in images}))}"
    )
    if groups is not None:
        pure = [len(set(target[groups == group])) == 1 for group in np.unique(groups)]
        yield f"    {sum(pure)} of {len(pure)} specimens have images of one label only"
