"""The main job on the sample data: what is in the folder, and that it is right."""

import hashlib
import json
import sqlite3
from contextlib import closing

import geopandas as gpd
import numpy as np
import pyproj
import pystac
import pytest
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.features import rasterize
from rasters import crop, drawn_pair, equal_area, listing, read, write_pair
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import label
from typer.testing import CliRunner

import geosim
from geosim import ChangeOptions, GeosimError, MinArea, detect_change
from geosim.cli import app
from geosim.errors import OptionError, ResultExistsError
from geosim.publish.styles import CHANGE_COLOUR_TABLE
from geosim.raster.scene import open_scene
from geosim.result import FILES
from geosim.scoring.sampling import take_sample

RASTERS = ("tiles.tif", "difference.tif", "change.tif")
BANDS = {
    "tiles.tif": ("similarity", "ssim", "change_fraction", "valid_fraction"),
    "difference.tif": ("change", "low", "mid", "high", "ssim"),
    "change.tif": ("change",),
}
CHANGES = [
    *("id", "area_m2", "area_ha", "area_px", "perimeter_m", "probability_mean"),
    *("probability_max", "class", "class_probability", "from_class", "to_class"),
    *("date_before", "date_after", "geometry"),
]
NODATA = 255


@pytest.fixture(scope="module")
def truth(sample_result, sample_pair):
    """The true classes on the result's grid."""
    with (
        rasterio.open(sample_pair[0].with_name("truth.tif")) as file,
        rasterio.open(sample_result.paths["change"]) as result,
    ):
        window = file.window(*result.bounds).round_offsets().round_lengths()
        return file.read(1, window=window)


@pytest.fixture(scope="module")
def decision(sample_result):
    return read(sample_result.paths["change"], 1)


# --- the files


def test_folder_holds_the_contract_and_nothing_else(sample_result):
    folder = sample_result.folder
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert all(path.is_file() for path in sample_result.paths.values())


@pytest.mark.parametrize("name", RASTERS)
def test_rasters_are_valid_cogs(sample_result, name):
    valid, errors, warnings = cog_validate(sample_result.folder / name, strict=True)
    assert (valid, errors, warnings) == (True, [], [])


@pytest.mark.parametrize("name", RASTERS)
def test_rasters_say_what_they_are(sample_result, name):
    with rasterio.open(sample_result.folder / name) as file:
        assert file.descriptions == BANDS[name]
        assert file.crs.to_epsg() == 32633
        tags = file.tags()
    assert tags["AREA_OR_POINT"] == "Area"
    assert tags["TIFFTAG_SOFTWARE"] == f"geosim {geosim.__version__}"
    assert tags["GEOSIM_METHOD"] == "siamese"
    assert json.loads(tags["GEOSIM_PARAMETERS"])["min_area"] == "50px"


def test_difference_is_scaled_bytes(sample_result):
    with rasterio.open(sample_result.paths["difference"]) as file:
        assert set(file.dtypes) == {"uint8"}
        assert set(file.nodatavals) == {NODATA}
        assert file.scales == pytest.approx((1 / 254,) * 5, rel=1e-15)
        assert file.offsets == (0.0,) * 5
        assert len(file.overviews(1)) >= 1


def test_change_is_coloured_and_its_overviews_hold_classes_only(sample_result):
    path = sample_result.paths["change"]
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == NODATA
        assert file.mask_flag_enums == ([MaskFlags.nodata],)
        assert file.colorinterp == (ColorInterp.palette,)
        table = file.colormap(1)
        levels = len(file.overviews(1))
    assert levels >= 1
    # TIFF keeps no alpha in a colour table; the style beside the file does
    for value, colour in CHANGE_COLOUR_TABLE.items():
        assert table[value][:3] == colour[:3]
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as file:
            assert set(np.unique(file.read(1))) <= {0, 1, NODATA}


def test_tiles_have_a_pixel_per_tile_and_scores_in_range(sample_result, decision):
    with rasterio.open(sample_result.paths["tiles"]) as file:
        assert set(file.dtypes) == {"float32"}
        assert all(np.isnan(value) for value in file.nodatavals)
        assert file.shape == tuple(-(-side // 256) for side in decision.shape)
        assert file.res == (128.0, 128.0)
        similarity, ssim, changed, valid = file.read()
    assert ((similarity >= 0) & (similarity <= 1)).all()
    assert ((ssim >= -1) & (ssim <= 1)).all()
    rows, cols = (-(-side // 256) * 256 - side for side in decision.shape)
    padded = np.pad(decision, ((0, rows), (0, cols)), constant_values=NODATA)
    cells = padded.reshape(valid.shape[0], 256, valid.shape[1], 256).swapaxes(1, 2)
    known = (cells != NODATA).sum(axis=(2, 3))
    assert valid == pytest.approx(known / 256**2, abs=1e-6)
    assert changed == pytest.approx((cells == 1).sum(axis=(2, 3)) / known, abs=1e-6)


# --- the decision


def test_change_is_the_thresholded_probability_without_small_objects(
    sample_result, decision
):
    probability = read(sample_result.paths["difference"], 1)
    level = np.ceil(sample_result.record.threshold.value * 254)
    over = (probability >= level) & (probability != NODATA)
    labels, _ = label(over)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = (sizes >= 50)[labels]
    assert np.array_equal(decision == 1, kept)
    assert np.array_equal(decision == NODATA, probability == NODATA)


def test_polygons_are_the_raster(sample_result, decision):
    changes = sample_result.changes
    assert changes.geometry.is_valid.all()
    with rasterio.open(sample_result.paths["change"]) as file:
        drawn = rasterize(
            zip(changes.geometry, changes["id"], strict=True),
            out_shape=file.shape,
            transform=file.transform,
            dtype="int32",
        )
    assert np.array_equal(drawn > 0, decision == 1)
    counted = np.bincount(drawn.ravel(), minlength=len(changes) + 1)[1:]
    assert np.array_equal(counted, changes["area_px"])
    assert changes["area_px"].sum() == sample_result.record.areas.changed_px
    probability = read(sample_result.paths["difference"], 1)
    for row in changes.iloc[::10].itertuples():
        inside = probability[drawn == row.id] / 254
        assert row.probability_mean == pytest.approx(inside.mean(), abs=1e-9)
        assert row.probability_max == pytest.approx(inside.max(), abs=1e-9)


def test_areas_are_geodesic(sample_result):
    changes = sample_result.changes
    wanted = [equal_area(polygon, changes.crs) for polygon in changes.geometry]
    assert changes["area_m2"].tolist() == pytest.approx(wanted, rel=1e-4)
    assert np.allclose(changes["area_ha"], changes["area_m2"] / 1e4)
    # UTM draws this place smaller than it is
    assert (changes["area_m2"] > changes.geometry.area * 1.0001).all()
    areas = sample_result.record.areas
    assert areas.changed_m2 == pytest.approx(changes["area_m2"].sum())
    pixel = areas.changed_m2 / areas.changed_px
    assert areas.valid_m2 == pytest.approx(areas.valid_px * pixel, rel=1e-4)


def test_vector_layers(sample_result):
    changes, tiles = sample_result.changes, sample_result.tiles
    assert isinstance(changes, gpd.GeoDataFrame)
    assert list(changes.columns) == CHANGES
    assert changes["id"].tolist() == list(range(1, len(changes) + 1))
    assert changes["area_px"].is_monotonic_decreasing
    assert set(changes["class"]) >= {"forest_loss", "water_gain", "bare_or_mining"}
    assert set(changes["date_before"]) == {"1990"}
    assert set(changes["date_after"]) == {"2020"}
    assert list(tiles.columns) == ["row", "col", *BANDS["tiles.tif"], "geometry"]
    assert changes.crs == tiles.crs == pyproj.CRS(32633)
    rasters = read(sample_result.paths["tiles"])
    assert np.array_equal(rasters[:, tiles["row"], tiles["col"]].T, tiles.iloc[:, 2:6])
    with rasterio.open(sample_result.paths["change"]) as file:
        assert tuple(tiles.total_bounds) == tuple(file.bounds)
    with closing(sqlite3.connect(sample_result.paths["changes"])) as database:
        styles = dict(
            database.execute("SELECT f_table_name, styleQML FROM layer_styles")
        )
    assert set(styles) == {"changes", "tiles"}


def test_finds_what_changed_and_leaves_the_season_alone(decision, truth):
    known = (truth != NODATA) & (decision != NODATA)
    found, real = decision[known] == 1, truth[known] > 0
    f1 = 2 * (found & real).sum() / (found.sum() + real.sum())
    assert f1 > 0.8
    by_class = [
        (decision[known & (truth == code)] == 1).mean() for code in (1, 2, 3, 4, 6)
    ]
    assert min(by_class) > 0.7
    assert (found & ~real).sum() / (~real).sum() < 0.05


def test_nodata_of_date_2_is_nowhere_change(sample_result, decision):
    every = read(sample_result.paths["difference"])
    nothing = decision == NODATA
    assert nothing[-1, 0]
    assert 5000 < nothing.sum() < 6500
    for band in every:
        assert np.array_equal(band == NODATA, nothing)


# --- run.json and the report


def test_run_json_is_a_stac_item_that_knows_its_files(sample_result):
    item = pystac.Item.from_file(str(sample_result.paths["run"]))
    assert set(item.assets) == set(FILES) - {"run.json"}
    for name, asset in item.assets.items():
        content = (sample_result.folder / name).read_bytes()
        assert asset.href == f"./{name}"
        assert asset.extra_fields["file:size"] == len(content)
        digest = hashlib.sha256(content).hexdigest()
        assert asset.extra_fields["file:checksum"] == f"1220{digest}"
    assert item.properties["proj:code"] == "EPSG:32633"
    assert item.properties["geosim:weights"]["sha256"]
    assert item.properties["geosim:polygons"] == len(sample_result.changes)


def test_run_json_links_lead_to_the_inputs(sample_result, sample_pair):
    item = json.loads(sample_result.paths["run"].read_text())
    hrefs = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    found = [(sample_result.folder / href).resolve() for href in hrefs]
    assert found == [path.resolve() for path in sample_pair]


def test_report_is_one_file_that_asks_for_nothing(sample_result):
    page = sample_result.paths["report"].read_text(encoding="utf-8")
    assert page.count("data:image/") >= 4
    assert 'src="http' not in page
    assert "<link" not in page


# --- the shift


def test_shift_is_found(sample_result):
    shift = sample_result.record.shift
    assert shift.rows == pytest.approx(0.4, abs=0.15)
    assert shift.cols == pytest.approx(-0.3, abs=0.15)
    assert not shift.corrected


def test_coregister_takes_the_shift_out(sample_pair):
    with open_scene(*map(str, sample_pair)) as scene:
        assert take_sample(scene, ChangeOptions(coregister=True)).corrected
        left = take_sample(scene, ChangeOptions()).shift
    assert max(abs(left.d_row), abs(left.d_col)) <= 0.1


def test_coregistered_run_says_so(sample_pair, tmp_path):
    window = (100, 400, 420, 400)
    pair = [crop(path, tmp_path / path.name, window) for path in sample_pair]
    options = ChangeOptions(method="cva", coregister=True)
    record = detect_change(*pair, tmp_path / "result", options).record
    assert record.shift.corrected
    assert record.after.placement.endswith(
        f"moved by ({-record.shift.rows:+.2f}, {-record.shift.cols:+.2f}) px "
        "(rows, columns)"
    )


# --- the library


@pytest.mark.parametrize("name", ["tiles", "difference", "change"])
def test_read_gives_what_rasterio_reads(sample_result, name):
    window = (1, 2, 3, 3) if name == "tiles" else (100, 900, 64, 200)
    found = sample_result.read(name, window)
    with rasterio.open(sample_result.paths[name]) as file:
        place = rasterio.windows.Window(*window)
        wanted = file.read(window=place, masked=True) * file.scales[0]
        assert tuple(found) == file.descriptions
    for values, expected in zip(found.values(), wanted, strict=True):
        assert values.dtype == np.float32
        assert values == pytest.approx(expected.filled(np.nan), abs=1e-6, nan_ok=True)


def test_read_refuses_other_names_and_places(sample_result):
    with pytest.raises(OptionError, match="tiles, difference, change"):
        sample_result.read("report")
    with pytest.raises(OptionError, match="within"):
        sample_result.read("change", (1180, 0, 16, 16))


@pytest.fixture
def pair(tmp_path):
    (tmp_path / "in").mkdir()
    return write_pair(tmp_path / "in", *drawn_pair())


def test_library_refuses_like_the_command_line(pair, tmp_path):
    options = ChangeOptions(method="cva")
    detect_change(*pair, tmp_path / "out", options)
    before = listing(tmp_path)
    with pytest.raises(ResultExistsError, match="holds a result already") as refused:
        detect_change(*pair, tmp_path / "out", options)
    assert isinstance(refused.value, GeosimError | OSError)
    assert listing(tmp_path) == before


def test_json_is_the_record(pair, tmp_path):
    arguments = ["change", *map(str, pair), "-o", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, [*arguments, "--method", "cva"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["folder"] == str(tmp_path / "out")
    assert told["method"] == "cva"
    assert told["polygons"] == len(
        gpd.read_file(tmp_path / "out" / "changes.gpkg", layer="changes")
    )
    assert told["areas"]["changed_percent"] > 1


@pytest.mark.parametrize(
    ("dates", "options", "said"),
    [
        ((0, 0), {"threshold": 0.9}, "the probability is at most 0."),
        ((0, 1), {"min_area": MinArea(value=1e6, unit="m2")}, "--min-area 1000000m2"),
    ],
)
def test_a_result_without_a_place_says_why(pair, tmp_path, dates, options, said):
    before, after = (pair[date] for date in dates)
    options = ChangeOptions(method="ssim", **options)
    record = detect_change(before, after, tmp_path / "out", options).record
    assert record.polygons == record.areas.changed_px == 0
    assert [said in note for note in record.notes].count(True) == 1


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("2020", "1990", True),
        ("2020-07-14", "2020-07-01", True),
        ("2020-07", "2020", False),
        ("2019", "2020-07", False),
    ],
)
def test_dates_in_the_wrong_order_are_told(pair, tmp_path, before, after, told):
    options = ChangeOptions(method="cva", date_before=before, date_after=after)
    notes = detect_change(*pair, tmp_path / "out", options).record.notes
    assert any("change their order" in note for note in notes) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"precision": "float32"}, "--precision did nothing: --method cva has no"),
        ({"weights": "nix", "device": "cpu"}, "--weights and --device did nothing"),
    ],
)
def test_options_of_a_network_that_is_not_there(tmp_path, given, told):
    pair = write_pair(tmp_path, *drawn_pair())
    options = ChangeOptions(method="cva", **given)
    notes = detect_change(*pair, tmp_path / "out", options).record.notes
    of_network = [note for note in notes if "did nothing" in note]
    assert len(of_network) == bool(told)
    assert all(told in note for note in of_network)


def test_default_folder_is_named_after_the_dates(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = detect_change(*pair, options=ChangeOptions(method="cva"))
    assert result.folder.name == "change_1990_2020"
    assert (tmp_path / "change_1990_2020" / "change.tif").is_file()


def test_the_same_run_gives_the_same_bytes(pair, tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        detect_change(*pair, folder, ChangeOptions(method="cva"))
    for name in RASTERS:
        one, two = ((folder / name).read_bytes() for folder in folders)
        assert one == two
