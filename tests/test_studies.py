"""The quick forms of studies run from end to end, in files of their own."""

import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

STUDIES = Path(__file__).parents[1] / "examples" / "studies"
# Warnings are the business of the tests of what is called.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def run(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(STUDIES / name), run_name="__main__")


def test_bearing_paper_writes_its_tables_apart_from_the_real_ones(monkeypatch, tmp_path):
    folders = "--work", tmp_path, "--output", tmp_path
    run(monkeypatch, "reproduce_bearing_paper.py", "--quick", *folders)
    assert not list(tmp_path.glob("*.csv"))
    models = pd.read_csv(tmp_path / "quick" / "bearing_models.csv")
    assert {"A", "B", "C", "AB", "AC", "BC", "ABC", "mean life less age"} <= {*models["model"]}
    markdown = (tmp_path / "quick" / "bearing_models.md").read_text(encoding="utf-8")
    assert len(markdown.splitlines()) == len(models) + 2


def test_coverage_of_intervals_is_written_apart_from_the_real_one(monkeypatch, tmp_path):
    run(monkeypatch, "measure_conformal_coverage.py", "--quick", "--output", tmp_path)
    assert not list(tmp_path.glob("*.csv"))
    table = pd.read_csv(tmp_path / "quick" / "conformal_simulated.csv")
    assert {"guaranteed", "runs covered", "half-width (MEL)"} <= {*table.columns}


def test_features_of_a_fleet_stay_within_their_memory(monkeypatch, capsys):
    # The example itself refuses a peak above its bound.
    run(monkeypatch, "extract_fleet_features.py", "--quick", "--jobs", 1)
    assert "the same as without dask" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("study", "option"),
    [
        ("extract_fleet_features", "--block"),
        ("extract_fleet_features", "--jobs"),
        ("search_on_a_cluster", "--jobs"),
    ],
)
def test_studies_refuse_options_of_zero(study, option, monkeypatch, capsys):
    if study == "extract_fleet_features":
        pytest.importorskip("dask.array")
        pytest.importorskip("psutil")
    path = STUDIES / f"{study}.py"
    monkeypatch.setattr("sys.argv", [str(path), option, "0"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(path), run_name="__main__")
    assert f"error: {option} 0 must be at least 1" in capsys.readouterr().err
