"""`compare_images` and `geosim compare`, from files to files."""

import json
import shutil

import numpy as np
import pytest
from pictures import as_uint8, textured
from PIL import Image
from processes import call
from rasters import listing
from skimage.transform import SimilarityTransform, warp

from geosim import CompareOptions, compare_images, compare_models
from geosim.comparison_files import FILES
from geosim.errors import OptionError, PictureReadError, ResultExistsError

PHOTO = textured(21, 220, 280)


def painted():
    """The photograph without its object, and where that was."""
    place = np.zeros(PHOTO.shape[1:], bool)
    place[90:120, 150:190] = True
    other = textured(50, 220, 280)[::-1, :, ::-1]
    return np.where(place, other, PHOTO).astype(np.float32), place


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(as_uint8(PHOTO)).save(folder / "photo.png")
    Image.fromarray(as_uint8(PHOTO)).save(folder / "copy.jpg", quality=60)
    Image.fromarray(as_uint8(painted()[0])).save(folder / "painted.png")
    other = textured(77, 300, 200)[[2, 0, 1]]
    Image.fromarray(as_uint8(other)).convert("L").save(folder / "other.tif")
    (folder / "cut.jpg").write_bytes((folder / "copy.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def compared(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "result"
    return compare_images(files / "photo.png", files / "painted.png", out)


def test_the_same_picture_is_1(files):
    same = compare_images(files / "photo.png", files / "photo.png")
    assert same.similarity == pytest.approx(1, abs=1e-3)
    assert same.ssim > 0.99
    assert same.differences.combined[np.isfinite(same.differences.combined)].max() < 0.1
    copy = compare_images(files / "photo.png", files / "copy.jpg")
    assert copy.similarity > 0.9
    assert copy.paths == {}


def test_result_can_be_taken_apart(compared):
    similarity, differences, visualization = compared
    assert similarity == compared.similarity
    assert differences is compared.differences
    assert visualization.shape == (220, 280, 3)
    assert visualization.dtype == np.uint8


def test_what_was_painted_out_is_where_it_differs(compared):
    found = compared.differences.combined
    top = found >= np.nanquantile(found, 0.99)
    assert painted()[1][top].mean() > 0.9
    assert compared.alignment.done == "register"


def test_files(compared):
    folder = compared.paths["record"].parent
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES.values())
    assert [p.name for p in folder.parent.iterdir()] == ["result"]
    heatmap = np.array(Image.open(compared.paths["heatmap"]))
    assert np.array_equal(heatmap, compared.visualization)
    assert np.array_equal(np.array(Image.open(compared.paths["sheet"])), compared.sheet)
    high = np.array(Image.open(compared.paths["high"]))
    assert high.shape == (220, 280)
    assert high[95:115, 160:180].mean() > high[:50].mean() + 20
    record = json.loads(compared.paths["record"].read_text())
    assert record["similarity"] == pytest.approx(compared.similarity, abs=1e-6)
    assert record["alignment"]["done"] == "register"
    assert record["frame"] == {"width": 280, "height": 220}
    assert record["files"]["overlay"] == "overlay.png"
    json.dumps(record, allow_nan=False)


def test_turned_and_scaled_with_an_object_painted_out():
    matrix = (
        SimilarityTransform(translation=(-139.5, -109.5))
        + SimilarityTransform(rotation=np.deg2rad(7), scale=1.2)
        + SimilarityTransform(translation=(189.5, 164.5))
    )
    scene, place = painted()
    bands = [warp(b, matrix.inverse, output_shape=(330, 380), order=3) for b in scene]
    second = np.clip(np.stack(bands), 0, 1)
    found = compare_images(as_uint8(PHOTO), as_uint8(second))
    assert found.alignment.rotation == pytest.approx(7, abs=0.2)
    small = CompareOptions(side=200)  # the second picture is reduced by more
    reduced = compare_images(as_uint8(PHOTO), as_uint8(second), None, small)
    for one in (found, reduced):
        assert "turned by 7.0 degrees, scaled 1.2" in one.alignment.said
    combined = np.nan_to_num(found.differences.combined)
    top = combined >= np.quantile(combined, 0.99)
    assert place[top].mean() >= 0.9


def test_tiny_and_very_narrow_pictures():
    for shape in ((5, 7), (3, 900), (1, 1)):
        picture = as_uint8(textured(3, 40, 900))[: shape[0], : shape[1]]
        found = compare_images(picture, picture)
        assert found.similarity == pytest.approx(1, abs=1e-3)
        assert min(found.visualization.shape[:2]) >= 32
        assert found.sheet.ndim == 3


def test_large_pictures_are_reduced(files):
    large = np.kron(as_uint8(PHOTO), np.ones((6, 6, 1), np.uint8))
    found = compare_images(
        large, files / "photo.png", None, CompareOptions(side=300, align="resize")
    )
    assert found.visualization.shape == (236, 300, 3)
    assert found.similarity > 0.9


def test_an_earlier_result_is_not_replaced_unasked(compared, files):
    folder = compared.paths["record"].parent
    before = listing(folder)
    with pytest.raises(ResultExistsError, match="replace it with"):
        compare_images(files / "photo.png", files / "copy.jpg", folder)
    assert listing(folder) == before


def test_options_are_checked():
    for wrong, message in (
        ({"model": "vgg19"}, "--model wants one of siamese"),
        ({"align": "warp"}, "--align wants one of none"),
        ({"side": 20}, "--side wants at least 64 px; found 20"),
        ({"threads": 0}, "--threads wants at least 1"),
    ):
        with pytest.raises(OptionError, match=message):
            CompareOptions(**wrong)
    with pytest.raises(OptionError, match="leave it out with all"):
        compare_models(PHOTO, PHOTO, None, CompareOptions(weights="some.pth"))


def test_command(files, tmp_path):
    done = call("compare", files / "photo.png", files / "other.tif", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "compare_photo_other"
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES.values())
    assert [p.name for p in tmp_path.iterdir()] == ["compare_photo_other"]
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert float(lines["similarity"]) < 0.9
    assert "resized from 200 x 300 to 280 x 220" in lines["aligned"]
    assert lines["heatmap"].endswith("heatmap.png")
    again = call(
        "compare", files / "photo.png", files / "copy.jpg", "-o", folder, "--overwrite",
        "--json", "--model", "ssim", "--align", "resize", folder=tmp_path,
    )  # fmt: skip
    record = json.loads(again.stdout)
    assert record["model"] == "ssim"
    assert record["similarity"] > 0.95
    assert record["alignment"]["said"] == "as they are"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.png", "none.png"], "error: 'none.png' cannot be opened (No such file"),
        (["cut.jpg", "photo.png"], "error: 'cut.jpg' is damaged or cut short"),
        (["photo.png", "other.tif", "--align", "none"], "error: --align none wants pi"),
        (["photo.png", "copy.jpg", "--weights", "no"], "error: weights no cannot be"),
        (
            ["photo.png", "copy.jpg", "-o", "copy.jpg"],
            "error: 'copy.jpg' must be a fol",
        ),
    ],
)
def test_refused_in_one_line(commands, files, arguments, message):
    before = listing(files)
    code, stdout, stderr = commands(files, "compare", *arguments)
    assert code == 1
    assert stderr.startswith(message)
    assert stderr.count("\n") == 1
    assert stdout == ""
    assert listing(files) == before


@pytest.mark.torch
def test_all_models_beside_each_other(files, tmp_path, monkeypatch):
    """Two models are at hand; of the others it is said why they are not."""
    pytest.importorskip("torchvision")
    from geosim.siamese import backbones

    class Nowhere:
        url = "http://127.0.0.1:1/weights.pth"

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(backbones, "pretrained", lambda _: Nowhere())
    out = tmp_path / "all"
    quick = CompareOptions(align="resize")
    found = compare_models(files / "photo.png", files / "copy.jpg", out, quick)
    assert list(found)[:2] == ["siamese", "ssim"]
    assert sorted(p.name for p in out.iterdir()) == ["models.json", "siamese", "ssim"]
    table = json.loads((out / "models.json").read_text())
    assert table["siamese"]["similarity"] > 0.9
    assert "cannot be fetched" in table["vgg16"]["error"]
    assert found["ssim"].paths["heatmap"] == out / "ssim" / "heatmap.png"
    assert found["ssim"].paths["heatmap"].exists()
    with pytest.raises(ResultExistsError):
        compare_models(files / "photo.png", files / "copy.jpg", out)
    again = CompareOptions(overwrite=True, align="resize")
    # a model that was at hand for an earlier pair leaves nothing of it
    shutil.copytree(out / "ssim", out / "vgg16")
    shutil.copytree(out / "ssim", out / "resnet18")
    (out / "resnet18" / "notes.txt").write_text("mine")
    compare_models(files / "photo.png", files / "copy.jpg", out, again)
    assert [p.name for p in (out / "resnet18").iterdir()] == ["notes.txt"]
    shutil.rmtree(out / "resnet18")
    assert sorted(p.name for p in out.iterdir()) == ["models.json", "siamese", "ssim"]


@pytest.mark.parametrize(("level", "told"), [(0.0, True), (1.0, False)])
def test_a_picture_of_one_colour_has_a_note(files, level, told):
    blank = np.full((64, 96), 255, np.uint8)
    blank[:32] = 255 - round(level * 80)
    found = compare_images(files / "photo.png", blank)
    assert any("one colour only" in note for note in found.notes) == told


def test_pictures_that_cannot_be_read(files, tmp_path):
    with pytest.raises(PictureReadError):
        compare_images(files / "cut.jpg", files / "photo.png", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_one_size_is_that_of_the_files(tmp_path):
    """Both are looked at in 1,024 px; of the files one is three times as large."""
    paths = []
    for side in (1024, 2048):
        paths.append(tmp_path / f"{side}.png")
        Image.new("RGB", (side, side), (90, 120, 60)).save(paths[-1])
    options = CompareOptions(model="ssim", align="none")
    with pytest.raises(OptionError, match="found 2048 x 2048 and 1024 x 1024"):
        compare_images(paths[1], paths[0], None, options)
