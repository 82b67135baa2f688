"""Settings of the Sphinx documentation."""

import os
from pathlib import Path

import skprog

# The gallery runs the examples on simulated data and bundled sets, without progress bars, and
# keeps their files.
os.environ["TQDM_DISABLE"] = "1"
os.environ["DEMO_OUTPUT"] = str(Path(__file__).parent / "_build" / "demo-output")
os.environ["DATA"] = os.environ["EPOCHS"] = ""

project = "skprog"
author = "The skprog developers"
copyright = f"2026, {author}"
version = release = skprog.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_theme = "pydata_sphinx_theme"
html_title = "skprog"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_show_sourcelink = False
html_css_files = ["skprog.css"]
# Pages without pages below them need no second navigation.
plain = ("changelog", "developer", "guide/*", "install", "results/*", "studies")
html_sidebars = {page: [] for page in plain}

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": False}
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": None,
    "download_all_examples": False,
    "show_signature": False,
    "abort_on_example_error": True,
}
