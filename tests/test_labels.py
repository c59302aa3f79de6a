"""Folders of labelled pairs: what is read, what is refused in one line."""

import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasters import UTM, drawn_pair, write

from geosim import ChangeOptions
from geosim.errors import GridMismatchError, LabelError, OptionError, RasterReadError
from geosim.raster.grid import Window
from geosim.raster.scene import open_scene
from geosim.scoring.sampling import take_sample
from geosim.training.labels import find_pairs, read_pairs, read_values


def put(folder, name="one", *, label=None, suffix="png", bands=3, **how):
    """Write a pair with its label; the label is what `drawn_pair` changed."""
    before, after = drawn_pair(bands=bands)
    if label is None:
        label = np.zeros((1, *before.shape[1:]), np.uint8)
        label[:, 60:110, 70:130] = 255
    how = {"crs": None, **how} if suffix == "png" else how
    if suffix == "png":
        how |= {"driver": "PNG"}
    for part, values in (("A", before), ("B", after), ("label", label)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        write(folder / part / f"{name}.{suffix}", values, **how)
    return folder


def test_pairs_are_fed_as_the_main_job_does(tmp_path):
    (pair,) = read_pairs(put(tmp_path))
    assert pair.name == "one"
    files = (str(tmp_path / part / "one.png") for part in "AB")
    with open_scene(*files) as scene:
        radiometry = take_sample(scene, ChangeOptions()).radiometry
        raw = scene.read(Window(0, 0, 240, 200))
        wanted = radiometry.apply(raw.before, raw.after, raw.valid)
    np.testing.assert_allclose(pair.before, wanted[0], atol=5e-4)
    np.testing.assert_allclose(pair.after, wanted[1], atol=5e-4)
    assert pair.changed.sum() == 50 * 60
    assert pair.changed[60:110, 70:130].all()
    assert pair.valid.all()
    assert len(pair.places) == 50 * 60


def test_geotiffs_of_one_band_and_their_overlap(tmp_path):
    """Date 2 begins 16 columns to the east: only what both share is learned."""
    folder = put(tmp_path, suffix="tif", bands=1)
    _, after = drawn_pair(bands=1)
    moved = Affine(1.0, 0.0, 500_016.0, 0.0, -1.0, 5_400_000.0)
    write(folder / "B" / "one.tif", after[:, :, 16:], transform=moved, crs=UTM)
    (pair,) = read_pairs(folder)
    assert pair.before.shape == (3, 200, 224)
    np.testing.assert_array_equal(pair.before[0], pair.before[2])
    assert pair.changed[60:110, 70 - 16 : 130 - 16].all()
    assert pair.changed.sum() == 50 * 60


def test_nodata_is_not_learned(tmp_path):
    folder = put(tmp_path, suffix="tif", nodata=0)
    before, _ = drawn_pair()
    before[:, :, :20] = 0
    write(folder / "A" / "one.tif", before, nodata=0)
    (pair,) = read_pairs(folder)
    assert not pair.valid[:, :20].any()
    assert pair.valid[:, 25:].mean() > 0.9


@pytest.mark.parametrize(
    ("values", "nodata", "changed", "answered"),
    [
        ([0, 255, 0], None, [0, 1, 0], [1, 1, 1]),
        ([0, 1, 0], None, [0, 1, 0], [1, 1, 1]),
        ([0, 1, 255], None, [0, 1, 0], [1, 1, 0]),
        ([0, 255, 0], 255, [0, 0, 0], [1, 0, 1]),
        ([0, 0, 255], 0, [0, 0, 1], [1, 1, 1]),
        ([7, 1, 0], 7, [0, 1, 0], [0, 1, 1]),
    ],
)
def test_what_a_label_says(values, nodata, changed, answered):
    found = read_values(np.array([values], np.uint8), nodata)
    assert [part[0].tolist() for part in found] == [changed, answered]


def test_no_answer_in_one_label_is_none_in_the_others(tmp_path):
    """Where nothing changed no 1 tells that 255 means no answer."""
    folder = put(tmp_path)
    values = np.zeros((200, 240), np.uint8)
    values[:, :90] = 255
    for part in ("A", "B"):
        shutil.copy(folder / part / "one.png", folder / part / "two.png")
    write(folder / "label" / "two.png", values[None], crs=None, driver="PNG")
    assert read_pairs(folder)[1].changed.sum() == 200 * 90  # as far as is known
    told = np.zeros((200, 240), np.uint8)
    told[60:110, 70:130], told[150:] = 1, 255
    write(folder / "label" / "one.png", told[None], crs=None, driver="PNG")
    one, two = read_pairs(folder)
    assert (one.changed.sum(), one.valid.sum()) == (50 * 60, 150 * 240)
    assert (two.changed.sum(), two.valid.sum()) == (0, 200 * 150)


def test_other_values_are_named():
    with pytest.raises(LabelError, match=r"found 3, 7, 9, 11 and more; JPEG blurs"):
        read_values(np.array([[0, 3, 7, 9, 11, 12, 255]], np.uint8))


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(LabelError, match="A is missing"):
        find_pairs(tmp_path)
    for part in ("A", "B", "label"):
        (tmp_path / part).mkdir()
    (tmp_path / "A" / "notes.txt").write_text("no image")
    with pytest.raises(LabelError, match="holds no image"):
        find_pairs(tmp_path)
    put(tmp_path)
    (tmp_path / "label" / "one.png").unlink()
    with pytest.raises(LabelError, match=r"label' has no file for 'one'"):
        find_pairs(tmp_path)


def test_label_of_another_size_is_refused(tmp_path):
    with pytest.raises(LabelError, match=r"'one': the label is 20 x 10 px, date 1 is"):
        read_pairs(put(tmp_path, label=np.zeros((1, 10, 20), np.uint8)))


def test_label_that_lies_elsewhere_is_refused(tmp_path):
    folder = put(tmp_path, suffix="tif")
    with rasterio.open(folder / "label" / "one.tif", "r+") as label:
        label.transform = Affine.translation(50, 0) @ label.transform
    with pytest.raises(LabelError, match=r"'one': a label on date 1's pixels is want"):
        read_pairs(folder)
    write(folder / "label" / "one.tif", np.ones((1, 200, 240), np.uint8), crs=None)
    assert read_pairs(folder)[0].changed.all()


def test_dates_of_other_sizes_are_refused(tmp_path):
    folder = put(tmp_path)
    _, after = drawn_pair(width=250)
    write(folder / "B" / "one.png", after, crs=None, driver="PNG")
    with pytest.raises(GridMismatchError, match="pair 'one'"):
        read_pairs(folder)


def test_labels_without_change_are_refused(tmp_path):
    with pytest.raises(LabelError, match=r"no label in .* has a changed pixel"):
        read_pairs(put(tmp_path, label=np.zeros((1, 200, 240), np.uint8)))


def test_what_is_no_image_is_refused(tmp_path):
    folder = put(tmp_path)
    (folder / "B" / "one.png").write_text("no image")
    with pytest.raises(RasterReadError, match="pair 'one': cannot open"):
        read_pairs(folder)


def test_other_numbers_of_bands_are_refused(tmp_path):
    with pytest.raises((OptionError, LabelError), match="three bands or one; found 2"):
        read_pairs(put(tmp_path, bands=2, suffix="tif"))
