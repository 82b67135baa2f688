"""Micrographs and their labels: loaded and simulated."""

import struct
import sys

import numpy as np
import pytest
from scipy import ndimage
from sklearn.utils import Bunch

from skprog.datasets import _nanofibers, load_sem, make_nanofibers
from skprog.datasets._sem import SEM_PAGE

HEADER = "file,label"


def picture(seed=0, shape=(12, 16), dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def write(path, values, mode=None):
    image_module = pytest.importorskip("PIL.Image", reason='needs pip install "skprog[image]"')
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image_module.fromarray(values)
    (image.convert(mode) if mode else image).save(path)


def write_csv(folder, *rows, header=HEADER, encoding="utf-8", name="labels.csv"):
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding=encoding)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sem"
    write(folder / "images" / "a.png", picture(0))
    write(folder / "images" / "b.tif", picture(1))
    return folder


@pytest.fixture
def labelled(folder):
    write_csv(folder, "images/b.tif,beads", "images/a.png,plain")
    return folder


# Loading


def test_images_come_in_the_order_of_the_csv_file_with_their_labels(labelled):
    data = load_sem(labelled)
    assert isinstance(data, Bunch)
    assert data.files == ["images/b.tif", "images/a.png"]
    assert data.target.tolist() == ["beads", "plain"]
    assert data.groups is None
    assert data.field_groups is None
    for image, seed in zip(data.images, (1, 0), strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, picture(seed))


def test_groups_are_those_of_the_csv_file(folder):
    rows = ["images/a.png,plain,s1,f1", "images/b.tif,plain,s2,f1"]
    write_csv(folder, *rows, header=f"{HEADER},sample_group,field_group")
    data = load_sem(folder)
    assert data.groups.tolist() == ["s1", "s2"]
    assert data.field_groups.tolist() == ["f1", "f1"]


def test_description_counts_labels_sizes_and_specimens_of_one_label(folder):
    write(folder / "images" / "c.png", picture(2, (9, 20)))
    rows = ["images/a.png,plain,s1", "images/b.tif,beads,s1", "images/c.png,plain,s2"]
    write_csv(folder, *rows, header=f"{HEADER},sample_group")
    text = load_sem(folder).DESCR
    for words in (
        f"3 grey images of {folder}",
        "beads: 1 images",
        "plain: 2 images",
        "9 to 12 px high, 16 to 20 px wide, uint8",
        "1 of 2 specimens have images of one label only",
    ):
        assert words in text


@pytest.mark.parametrize("name", ["x.png", "x.PNG", "x.tif", "x.tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lossless_files_of_8_and_16_bits_keep_their_values(tmp_path, name, dtype):
    write(tmp_path / name, picture(3, dtype=dtype))
    image = load_sem(tmp_path, {name: "plain"}).images[0]
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, picture(3, dtype=dtype))


def write_tiff(path, pages, photometric):
    """Write pages of grey values as a TIFF file in which 0 is white (0) or black (1)."""
    content = b"II*\0\0\0\0\0"
    place = 4
    for values in pages:
        height, width = values.shape
        data = values.astype(values.dtype.newbyteorder("<")).tobytes()
        tags = {
            256: width,
            257: height,
            258: 8 * values.itemsize,
            259: 1,
            262: photometric,
            273: len(content),
            277: 1,
            278: height,
            279: len(data),
        }
        content += data + b"\0" * (len(data) % 2)
        content = content[:place] + struct.pack("<I", len(content)) + content[place + 4 :]
        content += struct.pack("<H", len(tags))
        content += b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items())
        place = len(content)
        content += b"\0\0\0\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_as_zero_is_turned(tmp_path, dtype):
    values = np.array([[0, 100, 7], [40, 1, 2]], dtype=dtype)
    if dtype == np.uint16:
        values[0, 1] = 64250
    for photometric, expected in ((1, values), (0, np.iinfo(dtype).max - values)):
        write_tiff(tmp_path / "x.tif", [values], photometric)
        image = load_sem(tmp_path, {"x.tif": "plain"}).images[0]
        assert image.dtype == dtype
        np.testing.assert_array_equal(image, expected)


def test_32_bits_with_white_as_zero_hold_no_16(tmp_path):
    write_tiff(tmp_path / "x.tif", [np.arange(6, dtype=np.uint32).reshape(2, 3)], 0)
    with pytest.raises(ValueError, match="cannot be read as PNG"):
        load_sem(tmp_path, {"x.tif": "plain"})


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_largest_page_is_read(tmp_path, order):
    pages = [picture(3)[::4, ::4].copy(), picture(3)]
    write_tiff(tmp_path / "x.tif", [pages[i] for i in order], 1)
    image = load_sem(tmp_path, {"x.tif": "plain"}).images[0]
    np.testing.assert_array_equal(image, picture(3))


def test_several_images_in_a_file_are_refused(tmp_path):
    write_tiff(tmp_path / "x.tif", [picture(3), picture(4)], 1)
    with pytest.raises(ValueError, match=r"x.tif holds 2 images of one size; save each as a file"):
        load_sem(tmp_path, {"x.tif": "plain"})


@pytest.mark.parametrize("name", ["x.bmp", "x.gif"])
def test_other_lossless_formats_are_read(tmp_path, name):
    write(tmp_path / "beads" / name, picture(3))
    write(tmp_path / "plain" / "y.png", picture(4))
    data = load_sem(tmp_path)
    assert data.target.tolist() == ["beads", "plain"]
    np.testing.assert_array_equal(data.images[0], picture(3))


def test_webp_is_read_to_within_its_loss(tmp_path):
    smooth = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    write(tmp_path / "x.webp", smooth)
    image = load_sem(tmp_path, {"x.webp": "plain"}).images[0]
    np.testing.assert_allclose(image, smooth, atol=8)


def test_images_of_other_formats_are_named(labelled):
    write(labelled / "images" / "c.ppm", picture(2))
    with pytest.warns(UserWarning, match=r"1 images of other formats .* images/c.ppm; save them"):
        assert len(load_sem(labelled).images) == 2


def test_each_side_is_cut_by_itself(labelled):
    for crop in ((1, 4, 2, 3), [1, 4, 2, 3], np.array([1, 4, 2, 3])):
        image = load_sem(labelled, crop=crop).images[1]
        np.testing.assert_array_equal(image, picture(0)[1:8, 2:13])


@pytest.mark.parametrize("name", ["x.jpg", "x.jpeg"])
def test_jpeg_files_are_read_to_within_their_loss(tmp_path, name):
    smooth = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    write(tmp_path / name, smooth)
    image = load_sem(tmp_path, {name: "plain"}).images[0]
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, smooth, atol=4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_equal_channels_give_the_grey_they_hold(tmp_path, mode, name):
    grey = 255 * (picture(4) > 100).astype(np.uint8)
    write(tmp_path / name, grey, mode)
    image = load_sem(tmp_path, {name: "plain"}).images[0]
    np.testing.assert_array_equal(image, grey)


def test_colours_become_their_luminance(tmp_path):
    colours = np.zeros((4, 6, 3), dtype=np.uint8)
    colours[:, [0, 1, 2, 3], [0, 1, 2, 0]] = 255
    write(tmp_path / "x.png", colours)
    image = load_sem(tmp_path, {"x.png": "plain"}).images[0]
    assert image[0].tolist() == [76, 150, 29, 76, 0, 0]


def test_numbers_of_32_bits_are_read_if_16_hold_them(tmp_path):
    values = picture(5, dtype=np.uint16).astype(np.int32)
    write(tmp_path / "x.tif", values)
    image = load_sem(tmp_path, {"x.tif": "plain"}).images[0]
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, values)


@pytest.mark.parametrize(
    "values",
    [np.arange(12, dtype=np.int32) - 1, np.arange(12, dtype=np.int32) * 9999, np.arange(12.0)],
)
def test_other_numbers_are_refused(tmp_path, values):
    write(tmp_path / "x.tif", values.reshape(3, 4).astype(np.result_type(values, np.float16)))
    with pytest.raises(ValueError, match=r"x\.tif has values of .* save it with 8 or 16 bits"):
        load_sem(tmp_path, {"x.tif": "plain"})


def test_names_of_subfolders_are_the_labels_where_there_are_no_others(tmp_path):
    for i, name in enumerate(("plain/1.png", "beads/2.png", "beads/new/3.png")):
        write(tmp_path / name, picture(i))
    data = load_sem(tmp_path)
    assert data.files == ["beads/2.png", "beads/new/3.png", "plain/1.png"]
    assert data.target.tolist() == ["beads", "beads", "plain"]
    np.testing.assert_array_equal(data.images[2], picture(0))


def test_hidden_files_and_files_of_other_kinds_are_left_out(tmp_path):
    write(tmp_path / "plain" / "1.png", picture())
    for name in ("plain/._1.png", ".cache/1.png", "plain/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    assert load_sem(tmp_path).files == ["plain/1.png"]


def test_labels_are_a_dict_or_a_csv_file_anywhere(labelled, tmp_path):
    by_dict = load_sem(labelled, {"images/a.png": "x", "images/b.tif": "y"})
    assert by_dict.target.tolist() == ["x", "y"]
    write_csv(tmp_path, "images/a.png,u", "images/b.tif,v", name="others.csv")
    for path in (tmp_path / "others.csv", str(tmp_path / "others.csv")):
        assert load_sem(labelled, path).target.tolist() == ["u", "v"]


def test_csv_files_of_spreadsheets_are_read(folder):
    text = ' images\\a.png ; "with; sign"\n\nimages/b.tif;plain\n;\n'
    write_csv(folder, text, header="file;label", encoding="utf-8-sig")
    data = load_sem(folder)
    assert data.files == ["images/a.png", "images/b.tif"]
    assert data.target.tolist() == ["with; sign", "plain"]


def test_images_in_folders_that_no_label_names_are_left_out(labelled):
    write(labelled / "masks" / "a.png", picture())
    assert len(load_sem(labelled).images) == 2


def test_stated_borders_are_cut_off_each_image_and_a_number_all_round(folder):
    header = f"{HEADER},border_top,border_bottom,border_left,border_right"
    write_csv(folder, "images/a.png,plain,1,2,3,4", "images/b.tif,plain,0,0,0,5", header=header)
    stated = load_sem(folder).images
    np.testing.assert_array_equal(stated[0], picture(0)[1:10, 3:12])
    np.testing.assert_array_equal(stated[1], picture(1)[:, :11])
    for crop in (0, 2, np.int64(5)):
        for seed, image in enumerate(load_sem(folder, crop=crop).images):
            np.testing.assert_array_equal(image, picture(seed)[crop : 12 - crop, crop : 16 - crop])


def test_a_border_that_is_not_stated_is_none(folder):
    write_csv(folder, "images/a.png,plain,4", "images/b.tif,plain,0", header=f"{HEADER},border_top")
    assert [image.shape for image in load_sem(folder).images] == [(8, 16), (12, 16)]


def test_without_a_folder_the_variable_names_it(labelled, tmp_path, monkeypatch):
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path))
    assert len(load_sem().images) == 2
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path / "other"))
    with pytest.raises(FileNotFoundError, match=r"No images in .*other.sem \(from SKPROG_DATA="):
        load_sem()
    monkeypatch.delenv("SKPROG_DATA")
    with pytest.raises(FileNotFoundError, match=r"data_home is None and .* not set.*'sem'.*github"):
        load_sem()


def test_the_old_name_of_data_home_is_taken_with_a_warning(labelled):
    with pytest.warns(FutureWarning, match="pass data_home") as caught:
        data = load_sem(folder=labelled)
    assert caught[0].filename == __file__
    assert data.files == load_sem(labelled).files
    with (
        pytest.warns(FutureWarning, match="old name"),
        pytest.raises(TypeError, match="folder is the old name of data_home; pass one"),
    ):
        load_sem(labelled, folder=labelled)


def test_an_empty_folder_names_folder_variable_and_page(tmp_path):
    with pytest.raises(FileNotFoundError) as info:
        load_sem(tmp_path)
    assert all(words in str(info.value) for words in (str(tmp_path), "SKPROG_DATA", SEM_PAGE))


def test_missing_pillow_names_the_extra(labelled, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'load_sem needs Pillow; pip install "skprog\[image\]'):
        load_sem(labelled)


@pytest.mark.parametrize("kept", [0, 10, 60, 0.5, 0.9])
@pytest.mark.parametrize("name", ["images/a.png", "images/b.tif"])
def test_a_truncated_file_is_named(labelled, name, kept):
    path = labelled / name
    contents = path.read_bytes()
    path.write_bytes(contents[: kept if isinstance(kept, int) else int(kept * len(contents))])
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read as PNG, .* or WEBP \("):
        load_sem(labelled)


def test_a_file_of_another_format_is_refused_whatever_its_name(labelled):
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(picture()).save(labelled / "images" / "a.png", format="PPM")
    with pytest.raises(ValueError, match=r"a\.png cannot be read as PNG, .* or WEBP"):
        load_sem(labelled)


def test_a_blank_image_is_named_even_if_only_its_border_is_not(labelled):
    values = np.full((12, 16), 7, dtype=np.uint8)
    values[0] = 9
    write(labelled / "images" / "a.png", values)
    assert load_sem(labelled).images[1].max() == 9
    with pytest.raises(ValueError, match=r"a\.png has the value 7 throughout; leave blank"):
        load_sem(labelled, crop=1)


@pytest.mark.parametrize("crop", [6, 100])
def test_an_image_no_larger_than_what_is_cut_off_is_named(labelled, crop):
    message = rf"b\.tif is too small: nothing of its 12 x 16 pixels is left when {crop} are cut"
    with pytest.raises(ValueError, match=message):
        load_sem(labelled, crop=crop)


@pytest.mark.parametrize(
    ("rows", "header", "error", "message"),
    [
        (["images/a.png"], "file", ValueError, "has 0 columns 'label'; .* columns are file"),
        (["x,y"], "name,label", ValueError, "has 0 columns 'file'; one is due"),
        (["x,y,z"], "file,label,label", ValueError, "has 2 columns 'label'; one is due"),
        ([], HEADER, ValueError, "labels.csv names no file"),
        ([], "", ValueError, "has 0 columns 'file'; one is due. Its columns are none"),
        (["images/a.png,x,y"], HEADER, ValueError, "3 values in the row of 'images/a.png' where"),
        (["images/a.png"], HEADER, ValueError, "1 values in the row of 'images/a.png' where"),
        (["images/a.png,"], HEADER, ValueError, "gives no label for images/a.png; fill it in"),
        ([",plain"], HEADER, ValueError, "gives no file for a file; fill it in"),
        (["images/c.png,x"], HEADER, FileNotFoundError, "c.png is missing, which .*labels.csv na"),
        (["images,x"], HEADER, FileNotFoundError, "images is missing, which .*labels.csv names"),
        (["images/a.png,x"], HEADER, ValueError, r"b\.tif has no label in .*labels.csv; add one"),
        (
            ["images/a.png,x", "./images/a.png,y", "images/b.tif,x"],
            HEADER,
            ValueError,
            "labels.csv names images/a.png 2 times; keep one",
        ),
        (
            ["images/a.png,x,", "images/b.tif,x,s"],
            f"{HEADER},sample_group",
            ValueError,
            "gives no sample_group for images/a.png",
        ),
        (['images/a.png,"x'], HEADER, ValueError, "labels.csv is no CSV file in UTF-8"),
    ],
)
def test_a_csv_file_that_is_not_whole_is_refused(folder, rows, header, error, message):
    write_csv(folder, *rows, header=header)
    with pytest.raises(error, match=message):
        load_sem(folder)


def test_a_csv_file_of_another_encoding_is_refused(folder):
    write_csv(folder, "images/a.png,Perlenkörper", encoding="latin-1")
    with pytest.raises(ValueError, match=r"labels\.csv is no CSV file in UTF-8 \(.*save it anew"):
        load_sem(folder)


@pytest.mark.parametrize("border", ["-1", "1.5", "", "wide", "²"])
def test_a_border_that_is_no_number_of_pixels_is_refused_unless_unused(folder, border):
    rows = [f"images/a.png,plain,{border}", "images/b.tif,plain,0"]
    write_csv(folder, *rows, header=f"{HEADER},border_left")
    with pytest.raises(ValueError, match=f"gives the border_left '{border}' for images/a.png; giv"):
        load_sem(folder)
    assert len(load_sem(folder, crop=0).images) == 2


def test_an_image_beside_the_subfolders_has_no_label(tmp_path):
    write(tmp_path / "plain" / "1.png", picture())
    write(tmp_path / "2.png", picture())
    with pytest.raises(ValueError, match=r"2\.png has no label: without labels, and without a fil"):
        load_sem(tmp_path)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"data_home": 3}, TypeError, "data_home=3 must be a path"),
        ({"labels": 3}, TypeError, "labels=3 must be the path of a CSV file or a dict"),
        ({"labels": ["x", "y"]}, TypeError, "must be the path of a CSV file or a dict"),
        ({"labels": "none.csv"}, FileNotFoundError, "labels='none.csv' is no file"),
        ({"labels": {}}, ValueError, "labels names no file"),
        ({"labels": {"images/a.png": 1}}, TypeError, "labels has 'images/a.png': 1; give"),
        ({"labels": {"images/a.png": ""}}, ValueError, "labels gives no label for images/a.png"),
        ({"labels": {"images/a.png": "x"}}, ValueError, r"b\.tif has no label in labels; add one"),
        ({"labels": {"c.png": "x"}}, FileNotFoundError, "c.png is missing, which labels names"),
        ({"crop": (1, 2, 3)}, ValueError, r"crop=\(1, 2, 3\) holds 3 numbers; give px at the top"),
        ({"crop": (1, 2, 3, -4)}, ValueError, "crop=-4 must be at least 0"),
        ({"crop": (1, 2, 3, 0.5)}, TypeError, "crop=0.5 must be an integer"),
        ({"crop": -1}, ValueError, "crop=-1 must be at least 0"),
        ({"crop": 1.5}, TypeError, "crop=1.5 must be an integer"),
        ({"crop": True}, TypeError, "crop=True must be an integer"),
        ({"crop": None}, TypeError, "crop=None must be an integer"),
        ({"crop": "all"}, ValueError, "crop='all' is not 'stated' and no number of px"),
    ],
)
def test_impossible_arguments_are_refused(labelled, kwargs, error, message):
    with pytest.raises(error, match=message):
        load_sem(**{"data_home": labelled, **kwargs})


@pytest.fixture(scope="module")
def real(real_data):
    pytest.importorskip("PIL.Image", reason='needs pip install "skprog[image]"')
    if not (real_data / "sem").is_dir():
        pytest.skip(f"no folder sem in {real_data}")
    return real_data / "sem"


@pytest.mark.real_data
def test_real_micrographs_have_their_labels_groups_and_sizes(real):
    data = load_sem(real, crop=6)
    assert dict(zip(*np.unique(data.target, return_counts=True), strict=True)) == {
        "homogeneous": 21,
        "nonhomogeneous": 49,
    }
    assert len(np.unique(data.groups)) == 14
    assert len(np.unique(data.field_groups)) == 63
    assert {(image.shape, image.dtype.name) for image in data.images} == {((688, 1012), "uint8")}
    assert "14 of 14 specimens have images of one label only" in data.DESCR


@pytest.mark.real_data
def test_real_micrographs_without_their_stated_borders_differ_in_size(real):
    from PIL import Image

    data = load_sem(real)
    heights, widths = zip(*(image.shape for image in data.images), strict=True)
    assert (min(heights), max(heights), min(widths), max(widths)) == (695, 700, 1019, 1024)
    file = "images/Defective__PPC9-.png"
    whole = np.asarray(Image.open(real / file))
    assert whole.shape == (700, 1024)
    np.testing.assert_array_equal(data.images[data.files.index(file)], whole[:-1, 2:])


# Simulation


@pytest.fixture
def clear(monkeypatch):
    """Let the microscope show the greys of the mat above a background of 25 as they are."""
    for name in ("GRADIENT", "BLUR"):
        monkeypatch.setattr(_nanofibers, name, 0.0)
    for name, value in (("NOISE", 0.0), ("CONTRAST", 1.0), ("BRIGHTNESS", 0.0)):
        monkeypatch.setattr(_nanofibers, name, (value, value))


def without_beads(monkeypatch, *args, **kwargs):
    with monkeypatch.context() as context:
        context.setattr(_nanofibers, "_place_beads", lambda *_: [])
        return make_nanofibers(*args, **kwargs).images


def fibre_greys(image):
    return image[image > _nanofibers.BACKGROUND + _nanofibers.DEEPEST / 3].astype(float)


def parts(mask):
    """Return the connected parts of a mask that the edge of the image does not cut."""
    labels, n = ndimage.label(mask)
    cut = np.unique(np.r_[labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()])
    return [labels == i for i in range(1, n + 1) if i not in cut]


def axes(mask):
    """Return the lengths of the minor and major axis of an ellipse."""
    return 4 * np.sqrt(np.linalg.eigvalsh(np.cov(np.nonzero(mask))))


def test_every_second_image_has_beads():
    data = make_nanofibers(6, size=128, random_state=0)
    assert data.images.shape == data.masks.shape == (6, 128, 128)
    assert (data.images.dtype, data.masks.dtype) == (np.uint8, bool)
    assert data.target.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.target_names == ["homogeneous", "nonhomogeneous"]
    np.testing.assert_array_equal(data.masks.any(axis=(1, 2)), data.target == 1)
    np.testing.assert_array_equal(data.n_beads > 0, data.target == 1)


@pytest.mark.parametrize(("difficulty", "least"), [("standard", 1.5), ("easy", 3.0)])
def test_beads_are_as_thick_and_long_as_stated(monkeypatch, difficulty, least):
    monkeypatch.setattr(_nanofibers, "DIAMETER_SPREAD", 0.0)
    data = make_nanofibers(60, bead_density=(0, 0), size=160, difficulty=difficulty, random_state=0)
    assert (data.n_beads == data.target).all()
    assert ((data.fibre_diameters >= 6) & (data.fibre_diameters <= 14)).all()
    found = [
        (*axes(part), diameter)
        for mask, diameter in zip(data.masks, data.fibre_diameters, strict=True)
        for part in parts(mask)
    ]
    minor, major, diameter = np.transpose(found)
    assert len(found) > 15
    assert least * 0.97 < (minor / diameter).min() < least * 1.2
    assert 3.5 < (minor / diameter).max() < 4 * 1.03
    assert 0.97 < (major / minor).min() < 1.1
    assert 1.6 < (major / minor).max() < 1.8 * 1.05


def test_greys_of_beads_lie_within_one_deviation_of_the_fibres(monkeypatch, clear):
    kwargs = {"size": 256, "bead_density": (8, 16), "random_state": 0}
    data, plain = make_nanofibers(20, **kwargs), without_beads(monkeypatch, 20, **kwargs)
    lifts = []
    for image, mask, bare in zip(data.images, data.masks, plain, strict=True):
        greys = fibre_greys(bare)
        lifts += [(image[part].mean() - greys.mean()) / greys.std() for part in parts(mask)]
    assert len(lifts) > 20
    assert -1 <= min(lifts) < 0.5
    assert 0.9 < max(lifts) <= 1.03


def test_easy_beads_are_clearly_brighter_than_fibres_and_the_mat_is_thinner(monkeypatch, clear):
    kwargs = {"size": 300, "random_state": 0}
    covers = {}
    for difficulty in ("standard", "easy"):
        plain = without_beads(monkeypatch, 12, difficulty=difficulty, **kwargs)
        covers[difficulty] = np.array([fibre_greys(bare).size / bare.size for bare in plain])
    data = make_nanofibers(12, difficulty="easy", **kwargs)
    for image, mask, bare in zip(data.images[1::2], data.masks[1::2], plain[1::2], strict=True):
        greys = fibre_greys(bare)
        assert image[mask].mean() > greys.mean() + 2.2 * greys.std()
        assert (image[mask] > np.percentile(greys, 95)).mean() > 0.9
    assert 0.70 < covers["standard"].mean() < 0.85
    assert 0.35 < covers["easy"].mean() < 0.50
    assert covers["easy"].max() < covers["standard"].min()


def test_densities_are_uniform_between_their_bounds():
    # 256 x 256 px are a quarter of the area that densities refer to.
    n_beads = make_nanofibers(80, bead_density=(16, 48), size=256, random_state=0).n_beads[1::2]
    assert (n_beads.min(), n_beads.max()) == (4, 12)
    assert abs(n_beads.mean() - 8) < 1
    assert abs(n_beads.std() - 8 / np.sqrt(12)) < 0.5
    easy = make_nanofibers(10, bead_density=(16, 48), size=256, difficulty="easy", random_state=0)
    assert set(easy.n_beads[1::2]) == {10, 11, 12}


@pytest.mark.parametrize("bead_density", [(0, 0), [0.0, 0.1], np.array([0, 1])])
def test_an_image_with_beads_has_at_least_one(bead_density):
    data = make_nanofibers(8, bead_density=bead_density, size=64, random_state=0)
    assert data.n_beads.tolist() == [0, 1] * 4


@pytest.mark.parametrize("difficulty", ["standard", "easy"])
def test_images_differ_in_nothing_but_their_beads(monkeypatch, difficulty):
    kwargs = {"size": 200, "difficulty": difficulty, "random_state": 0}
    data, plain = make_nanofibers(8, **kwargs), without_beads(monkeypatch, 8, **kwargs)
    np.testing.assert_array_equal(data.images[::2], plain[::2])
    # The shadow of a bead and the blur of the microscope reach beyond its pixels.
    reach = int(_nanofibers.SHADOW_WIDTH + 4 * _nanofibers.BLUR) + 2
    for image, mask, bare in zip(data.images[1::2], data.masks[1::2], plain[1::2], strict=True):
        near = ndimage.binary_dilation(mask, iterations=2 * reach)
        np.testing.assert_array_equal(image[~near], bare[~near])
        assert (image[mask] != bare[mask]).mean() > 0.8


def test_beads_lie_along_fibres(monkeypatch):
    placed = []
    place = _nanofibers._place_beads

    def record(rng, fibres, mat, *args):
        beads = place(rng, fibres, mat, *args)
        placed.extend((mat.copy(), *bead) for bead in beads)
        return beads

    monkeypatch.setattr(_nanofibers, "_place_beads", record)
    make_nanofibers(12, size=256, bead_density=(30, 40), difficulty="easy", random_state=0)
    steps = np.array([-12, 0, 12])  # farther than fibres are thick
    along, across = [], []
    for mat, row, column, direction, *_ in placed:
        for angle, spread in ((direction, along), (direction + np.pi / 2, across)):
            places = row + steps * np.sin(angle), column + steps * np.cos(angle)
            if np.min(places) >= 0 and np.max(places) <= len(mat) - 1:
                spread.append(np.ptp(mat[tuple(np.rint(places).astype(int))]))
    assert np.median(along) < 2
    assert np.median(across) > 20


def test_equal_seeds_give_equal_images_and_other_seeds_others():
    first, again, other = (make_nanofibers(2, size=64, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.images != other.images).mean() > 0.9


def test_first_images_do_not_depend_on_how_many_follow():
    few, many = (make_nanofibers(n, size=64, random_state=0) for n in (2, 5))
    np.testing.assert_array_equal(few.images, many.images[:2])
    np.testing.assert_array_equal(few.masks, many.masks[:2])


def test_the_global_generator_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for seed in (None, 0, np.random.RandomState(0), np.random.default_rng(0)):
        make_nanofibers(2, size=64, random_state=seed)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_images_are_exposed_to_the_full_range_without_clipping_it():
    for difficulty in ("standard", "easy"):
        images = make_nanofibers(6, size=256, difficulty=difficulty, random_state=0).images
        assert (images == 255).mean() < 0.001
        assert (images.std(axis=(1, 2)) > 20).all()


def test_description_says_what_was_simulated():
    text = make_nanofibers(3, bead_density=(0, 0), size=64, difficulty="easy").DESCR
    for words in ("64 x 64 px", "2 homogeneous, 1 nonhomogeneous (1 beads)", "'easy'"):
        assert words in text


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"n": 0}, ValueError, "n=0 must be at least 1"),
        ({"n": 2.0}, TypeError, "n=2.0 must be an integer"),
        ({"size": 63}, ValueError, "size=63 must be at least 64"),
        ({"size": "64"}, TypeError, "size='64' must be an integer"),
        ({"size": (64, 64)}, TypeError, r"size=\(64, 64\) must be an integer"),
        ({"bead_density": 3}, TypeError, "bead_density=3 must be two numbers"),
        ({"bead_density": "08"}, TypeError, "bead_density='08' must be two numbers"),
        ({"bead_density": (1, 2, 3)}, ValueError, r"bead_density=\(1, 2, 3\) has 3 values; give"),
        ({"bead_density": (-1, 8)}, ValueError, r"bead_density\[0\]=-1 must be finite and at lea"),
        ({"bead_density": (0, 101)}, ValueError, r"bead_density\[1\]=101 must be .* at most 100"),
        ({"bead_density": (0, np.nan)}, ValueError, r"bead_density\[1\]=nan must be finite"),
        ({"bead_density": (0, "8")}, TypeError, r"bead_density\[1\]='8' must be a number"),
        ({"bead_density": (8, 0)}, ValueError, r"bead_density=\(8, 0\) falls; give the least"),
        ({"difficulty": "hard"}, ValueError, "difficulty='hard' is not one of 'standard', 'easy'"),
        ({"difficulty": None}, ValueError, "difficulty=None is not one of"),
        ({"random_state": "seed"}, TypeError, "random_state='seed' must be None, an integer of"),
        ({"random_state": True}, TypeError, "random_state=True must be None, an integer of"),
        ({"random_state": -1}, ValueError, "random_state=-1 must be None, an integer of"),
    ],
)
def test_impossible_simulations_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        make_nanofibers(**{"n": 1, "size": 64, **kwargs})
