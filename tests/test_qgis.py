"""QGIS opens every file of a result styled, and the colours are the right ones."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.ndimage import distance_transform_edt
from shapely import Point, box

from geosim.publish import styles
from geosim.publish.geopackage import write_geopackage
from geosim.themes import CLASSES

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("qgis_load.py")
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "QT_QPA_PLATFORM": "offscreen",
    "LC_ALL": "C.UTF-8",
}

WIDTH, HEIGHT, TILE = 300, 200, 100
NORTH_EAST = Affine(10, 0, 500000, 0, -10, 5000000)
# The grid: nodata in the rows from 150, changed in rows 20..80 and columns 30..90.
NODATA_ROW = 150
ROWS, COLS = slice(20, 80), slice(30, 90)
CHANGED, SAME, NODATA = (60, 40), (150, 50), (250, 175)  # (col, row)


def at(transform, col, row):
    """Map coordinates of a pixel corner."""
    a, b, c, d, e, f = transform[:6]
    return a * col + b * row + c, d * col + e * row + f


def coarser(transform):
    """The transform of a raster with one pixel per tile."""
    a, b, c, d, e, f = transform[:6]
    return Affine(a * TILE, b * TILE, c, d * TILE, e * TILE, f)


def qgis_works():
    """Whether the system's Python has QGIS, and what it says if not."""
    if not Path(PYTHON).exists():
        return False, f"no {PYTHON}"
    asked = subprocess.run(
        [PYTHON, "-c", "import qgis.core"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    return asked.returncode == 0, asked.stderr.strip().rpartition("\n")[2]


def load_in_qgis(folder, points, pictures):
    """What QGIS tells about a result folder; colours at points `(x, y)` of the map.

    Args:
        folder: What `geosim change` wrote.
        points: Map coordinates to look at.
        pictures: Folder for the rendered PNG files.
    """
    works, reason = qgis_works()
    if not works:
        pytest.skip(f"QGIS cannot be imported: {reason}")
    command = [PYTHON, SCRIPT, folder, pictures, *(f"{x},{y}" for x, y in points)]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=ENVIRONMENT | {"XDG_RUNTIME_DIR": str(pictures), "HOME": str(pictures)},
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "arning" in line]
    assert warnings == []
    return json.loads(done.stdout)


def write_raster(path, bands, *, nodata, transform, crs, scale=None, table=None):
    profile = {
        "driver": "COG",
        "count": len(bands),
        "dtype": bands[0].dtype.name,
        "height": bands[0].shape[0],
        "width": bands[0].shape[1],
        "nodata": nodata,
        "transform": transform,
        "crs": crs,
    }
    with rasterio.open(path, "w", **profile) as out:
        out.write(np.stack(bands))
        if scale is not None:
            out.scales, out.offsets = [scale] * len(bands), [0] * len(bands)
        if table is not None:
            out.write_colormap(1, table)


def write_result(folder, transform=NORTH_EAST, crs="EPSG:32633"):
    """A result folder as `geosim change` lays it out, with a known answer."""
    decision = np.zeros((HEIGHT, WIDTH), np.uint8)
    decision[ROWS, COLS] = 1
    probability = np.where(decision == 1, 254, 10).astype(np.uint8)
    decision[NODATA_ROW:] = probability[NODATA_ROW:] = 255
    similarity = np.array([[0, 1, 1], [1, 1, np.nan]], np.float32)
    grid = {"transform": transform, "crs": crs}
    write_raster(
        folder / "difference.tif",
        [probability, probability // 2 + 64],
        nodata=255,
        scale=1 / 254,
        **grid,
    )
    write_raster(
        folder / "change.tif",
        [decision],
        nodata=255,
        table=styles.CHANGE_COLOUR_TABLE,
        **grid,
    )
    coarse = coarser(transform)
    write_raster(
        folder / "tiles.tif",
        [similarity, similarity],
        nodata=np.nan,
        transform=coarse,
        crs=crs,
    )
    write_vectors(folder / "changes.gpkg", similarity, grid)
    for name, style in styles.RASTER_STYLES.items():
        (folder / name).with_suffix(".qml").write_text(style(), encoding="utf-8")
    return folder


def write_vectors(path, similarity, grid):
    transform, crs = grid["transform"], grid["crs"]

    def on_map(col, row, far_col, far_row):
        return box(*at(transform, col, far_row), *at(transform, far_col, row))

    changes = gpd.GeoDataFrame(
        {"id": [1], "probability_mean": [1.0]},
        geometry=[on_map(COLS.start, ROWS.start, COLS.stop, ROWS.stop)],
        crs=crs,
    )
    cells = [
        on_map(col * TILE, row * TILE, (col + 1) * TILE, (row + 1) * TILE)
        for row in range(2)
        for col in range(3)
    ]
    tiles = gpd.GeoDataFrame(
        {"similarity": similarity.ravel()}, geometry=cells, crs=crs
    )
    write_geopackage(
        path,
        {"changes": changes, "tiles": tiles},
        {name: style() for name, style in styles.LAYER_STYLES.items()},
        created=datetime(2024, 5, 6, tzinfo=UTC),
    )


def over_white(colour):
    """The colour as it looks on white paper."""
    red, green, blue, alpha = colour
    return [round(255 + (c - 255) * alpha / 255) for c in (red, green, blue)]


def assert_colour(found, wanted, tolerance=3):
    assert np.abs(np.subtract(found, wanted)).max() <= tolerance, (found, wanted)


@pytest.fixture(scope="module")
def result_folder(tmp_path_factory):
    """A finished run; swap in the folder of a real `geosim change` here."""
    return write_result(tmp_path_factory.mktemp("result"))


@pytest.fixture(scope="module")
def told(result_folder, tmp_path_factory):
    points = [at(NORTH_EAST, *p) for p in (CHANGED, SAME, NODATA)]
    pictures = tmp_path_factory.mktemp("pictures")
    return load_in_qgis(result_folder, points, pictures)


def assert_all_styled(told):
    """What must hold for the folder of any run."""
    wanted = {
        "difference.tif": "singlebandpseudocolor",
        "change.tif": "paletted",
        "tiles.tif": "singlebandpseudocolor",
        "layer changes": "categorizedSymbol",
        "layer tiles": "RuleRenderer",
    }
    # Plain coordinates lie nowhere on the globe, and QGIS says so.
    told_off = [text for text in told["log"] if "Cannot create transform" not in text]
    assert told_off == []
    layers = told["layers"]
    assert {n: layers[n]["renderer"] for n in wanted} == wanted
    for name in wanted:
        assert layers[name]["valid"], name
        assert layers[name]["styled"], layers[name]["message"]
        assert layers[name]["errors"] == []
    assert 0 <= layers["difference.tif"]["min"] <= layers["difference.tif"]["max"] <= 1


@pytest.mark.qgis
def test_every_layer_opens_with_its_style(told):
    assert_all_styled(told)
    crs = {told["layers"][n]["crs"] for n in told["layers"] if n != "map"}
    assert crs == {"EPSG:32633"}


@pytest.mark.qgis
def test_difference_is_read_as_probability(told):
    layer = told["layers"]["difference.tif"]
    assert layer["min"] == pytest.approx(10 / 254)
    assert layer["max"] == pytest.approx(1)
    changed, same, nodata = layer["colours"]
    assert_colour(changed, styles.PROBABILITY_RAMP[-1].colour[:3])
    assert_colour(same, [255, 255, 255])
    assert_colour(nodata, [255, 255, 255])


@pytest.mark.qgis
def test_change_shows_the_changed_rectangle_only(told):
    changed, same, nodata = told["layers"]["change.tif"]["colours"]
    assert_colour(changed, styles.CHANGE_COLOUR[:3])
    assert_colour(same, [255, 255, 255])
    assert_colour(nodata, [255, 255, 255])
    assert told["layers"]["change.tif"]["legend"] == ["same", "changed"]


@pytest.mark.qgis
def test_tiles_are_red_where_different_and_blue_where_the_same(told):
    changed, same, nodata = told["layers"]["tiles.tif"]["colours"]
    assert_colour(changed, over_white(styles.SIMILARITY_RAMP[0].colour))
    assert_colour(nodata, [255, 255, 255])  # the tile without a score
    assert_colour(same, over_white(styles.SIMILARITY_RAMP[-1].colour))


@pytest.mark.qgis
def test_polygons_let_the_image_through(told):
    changed, same, _ = told["layers"]["layer changes"]["colours"]
    assert_colour(changed, over_white((*styles.CHANGE_COLOUR[:3], 64)))
    assert_colour(same, [255, 255, 255])
    tile_legend = told["layers"]["layer tiles"]["legend"]
    assert tile_legend[0] == "0 to 0.2 different"
    assert tile_legend[-1] == "no score"


@pytest.mark.qgis
def test_rasters_and_polygons_of_plain_pictures_lie_on_each_other(tmp_path):
    # Without a CRS rows count downwards from 0: y = -row.
    down = Affine(1, 0, 0, 0, -1, 0)
    folder = tmp_path / "result"
    folder.mkdir()
    write_result(folder, down, None)
    points = [at(down, *p) for p in (CHANGED, SAME, NODATA)]
    told = load_in_qgis(folder, points, tmp_path)
    assert_all_styled(told)
    assert told["layers"]["change.tif"]["extent"] == [0, -HEIGHT, WIDTH, 0]
    for name in ("change.tif", "layer changes", "map"):
        changed, same, _ = told["layers"][name]["colours"]
        assert changed != [255, 255, 255]
        if name != "map":  # the tiles below colour the rest of the map
            assert_colour(same, [255, 255, 255])


def deepest(mask):
    """(col, row) of the pixel of a mask that lies farthest from its edge."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, col = np.unravel_index(int(depth.argmax()), mask.shape)
    return col + 0.5, row + 0.5


@pytest.mark.qgis
def test_the_result_of_a_real_run(sample_result, tmp_path):
    with rasterio.open(sample_result.paths["change"]) as file:
        decision, transform = file.read(1), file.transform
    places = [deepest(decision == value) for value in (1, 0, 255)]
    points = [at(transform, *place) for place in places]
    told = load_in_qgis(sample_result.folder, points, tmp_path)
    assert_all_styled(told)
    changed, same, nodata = told["layers"]["change.tif"]["colours"]
    assert_colour(changed, styles.CHANGE_COLOUR[:3])
    assert_colour(same, [255, 255, 255])
    assert_colour(nodata, [255, 255, 255])
    inside, same, _ = told["layers"]["layer changes"]["colours"]
    changes = sample_result.changes
    here = changes[changes.contains(Point(points[0]))]
    colour = CLASSES[here["class"].item()].colour
    assert_colour(inside, over_white((*colour[:3], 64)))
    assert_colour(same, [255, 255, 255])
