"""The file formats of the UCR and UEA archives: .ts, .arff and tables of text."""

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np

UCR_PAGE = "https://www.timeseriesclassification.com"
FORMATS = (".ts", ".tsv", ".txt", ".arff")
SUFFIXES = tuple(suffix + packed for suffix in FORMATS for packed in ("", ".gz"))


def read_cases(path):
    """Return the cases of a file, a list of (n_channels, n_timepoints), and their labels."""
    text = _read_text(path)
    if not text.strip():
        raise ValueError(f"{path} is empty; fetch it again from {UCR_PAGE}.")
    suffix = Path(path.name.removesuffix(".gz")).suffix
    header, body = _split_header(path, text, has_header=suffix in (".ts", ".arff"))
    rows = {".ts": _ts_rows, ".arff": _arff_rows}.get(suffix, _table_rows)
    cases, labels = [], []
    for fields, label, number in rows(path, header, body):
        try:
            cases.append([[_number(value) for value in field.split(",")] for field in fields])
        except ValueError as error:
            raise _damaged(path, number, f"a value that is none ({error})") from None
        labels.append(label)
        if len(cases[-1]) != len(cases[0]) or not cases[-1]:
            raise _damaged(
                path, number, f"{len(cases[-1])} channels where {len(cases[0]) or 'some'} are due"
            )
    if not cases:
        raise ValueError(f"{path} has no cases; fetch it again from {UCR_PAGE}.")
    cases = [_without_padding(case) for case in cases]
    _check_values(path, cases)
    return cases, np.array(labels)


def _read_text(path):
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            contents = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is truncated, damaged or not to be read ({type(error).__name__}: {error}); "
            f"fetch it again from {UCR_PAGE}."
        ) from error
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError:  # some descriptions
        return contents.decode("latin-1")


def _split_header(path, text, *, has_header):
    """Return the lines above @data and the numbered lines below it, all but comments."""
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), start=1)]
    lines = [(i, line) for i, line in lines if line and line[0] not in "#%"]
    if not has_header:
        return [], lines
    for position, (_, line) in enumerate(lines):
        if line.lower() == "@data":
            return [line for _, line in lines[:position]], lines[position + 1 :]
    raise ValueError(
        f"{path} has no line @data: it is truncated or of another format; fetch it again from "
        f"{UCR_PAGE}."
    )


def _ts_rows(path, header, body):
    """Yield the channels of each case as text, its label and the number of its line."""
    tags = {tag.lower(): value for tag, *value in map(str.split, header)}
    if [value.lower() for value in tags.get("@timestamps", [])] == ["true"]:
        raise ValueError(f"{path} has timestamps, which are not read; keep the values only.")
    has_labels, *classes = tags.get("@classlabel") or ["false"]
    if has_labels.lower() != "true":
        raise ValueError(f"{path} has no classes (@classLabel true); it is no set to classify.")
    is_equal = [value.lower() for value in tags.get("@equallength", [])] == ["true"]
    n_values = None
    for number, line in body:
        *fields, label = line.split(":")
        for field in fields if is_equal else ():
            n_values = n_values or _n_values(field)
            _check_n_values(path, number, _n_values(field), n_values)
        yield fields, _check_label(path, number, label, classes), number


def _arff_rows(path, header, body):
    is_nested = any("relational" in line.lower() for line in header)
    nominal = [line for line in header if line.lower().startswith("@attribute") and "{" in line]
    if not nominal:
        raise ValueError(f"{path} has no classes ({{...}}); it is no set to classify.")
    classes = re.sub(r".*\{|\}.*", "", nominal[-1]).split(",")
    n_values = sum(line.lower().startswith("@attribute") for line in header) - 1
    for number, line in body:
        values, _, label = line.rpartition(",")
        if not is_nested:
            _check_n_values(path, number, _n_values(values), n_values)
        fields = values.strip().strip("'\"").split(r"\n") if is_nested else [values]
        yield fields, _check_label(path, number, label, classes), number


def _table_rows(path, header, body):
    n_columns = None
    for number, line in body:
        label, *values = line.replace(",", " ").split()
        n_columns = n_columns or len(values)
        _check_n_values(path, number, len(values), n_columns)
        try:
            value = _number(label)
        except ValueError as error:
            raise _damaged(path, number, f"a class that is no number ({error})") from None
        if not math.isfinite(value):
            raise _damaged(path, number, f"the class {label!r}")
        yield [",".join(values)], _number_label(value), number


def _n_values(field):
    return 1 + field.count(",")


def _check_n_values(path, number, n_values, n_due):
    if n_values != n_due:
        raise _damaged(path, number, f"{n_values} values where {n_due} are due")


def _check_label(path, number, label, classes):
    """Return a label as the header writes text, refusing one that the header does not name."""
    label = label.strip().strip("'\"")
    named = {_key(each): each.strip().strip("'\"") for each in classes}
    if not label or (classes and _key(label) not in named):
        what = f"the class {label[:40]!r}" if label else "no class"
        raise _damaged(path, number, f"{what} where the header names {', '.join(classes)}")
    key = _key(label)
    return _number_label(key) if isinstance(key, float) else named.get(key, label)


def _number_label(value):
    """Return one label for 1, 1.0 and 1e0, and one for 0 and -0."""
    return f"{value + 0.0:.0f}" if value.is_integer() else repr(value)


def _key(label):
    """Return what is alike in labels that mean the same: 1 and 1.0, Walking and walking."""
    label = label.strip().strip("'\"")
    try:
        return _number(label)
    except ValueError:
        return label.lower()


def _number(text):
    return math.nan if text.strip() == "?" else float(text)


def _damaged(path, number, what):
    return ValueError(
        f"{path} is truncated or damaged: line {number} has {what}; fetch it again from {UCR_PAGE}."
    )


def _without_padding(channels):
    """Return a case (n_channels, n_timepoints) up to its last timepoint with a value."""
    case = np.full((len(channels), max(map(len, channels))), np.nan)
    for i, channel in enumerate(channels):
        case[i, : len(channel)] = channel
    n_timepoints = np.flatnonzero(~np.isnan(case).all(axis=0))[-1:] + 1
    return case[:, : n_timepoints.item() if len(n_timepoints) else 0]


def _check_values(path, cases):
    bad = [i for i, case in enumerate(cases) if not np.isfinite(case).all() or case.size == 0]
    if bad:
        shown = ", ".join(map(str, bad[:10])) + f" and {len(bad) - 10} more" * (len(bad) > 10)
        raise ValueError(
            f"{path} has missing or infinite values within the cases {shown} (counted from 0); "
            "repair or leave out these cases."
        )
