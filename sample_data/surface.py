"""What the ground looks like on each date: the landscape painted on a canvas."""

from dataclasses import replace

import numpy as np
import shapes
from canvas import Look, Patch, Pattern, Surface, blank, cover, linear
from landscape import Field, Landscape, Tree, landscape
from scipy import ndimage
from settlement import House, Plot, stream
from shapely import LineString, Point
from shapes import AFTER, BEFORE, Array, Date, Geometry, Road

HEADLAND = 9.0  # metres along a field's border where the rows follow the border
ROOF_SLOPE = 0.75

# What differs with the season only: the look in July 1990 and in September 2020, and
# the contrast of the rows. A field keeps its crop; ploughed stubble is no change.
_CROPS: dict[str, tuple[Look, Look, float]] = {
    "wheat": (
        Look(("#bfa76c", "#ae9760"), 0.06, height=0.8, bumps=0.05),
        Look(("#b3a37a", "#a3996c"), 0.08),
        0.06,
    ),
    "rape": (
        Look(("#a8995e", "#989058"), 0.07, height=1.0, bumps=0.1),
        Look(("#a6976a", "#92905e"), 0.09),
        0.05,
    ),
    "maize": (
        Look(("#5f7446", "#697c46"), 0.09, height=1.6, bumps=0.2),
        Look(("#68723f", "#747642"), 0.09, height=2.2, bumps=0.2),
        0.10,
    ),
    "beet": (
        Look(("#687f4e", "#5f774a"), 0.08, height=0.3, bumps=0.1),
        Look(("#667d46", "#6d8049"), 0.08, height=0.4, bumps=0.1),
        0.07,
    ),
    "meadow": (
        Look(("#7c8a55", "#8b945f"), 0.10, height=0.3, bumps=0.08),
        Look(("#76824c", "#838753"), 0.09, height=0.2, bumps=0.05),
        0.05,
    ),
    "pasture": (
        Look(("#76854f", "#84905f"), 0.13, height=0.2, bumps=0.1),
        Look(("#727d4a", "#7e8553"), 0.13, height=0.2, bumps=0.1),
        0.0,
    ),
}
_PLOUGHED = Look(("#8a765f", "#7d6a56"), 0.09, bumps=0.1)
_GRASS = {BEFORE: ("#6f7f4a", "#8d9564"), AFTER: ("#707a48", "#888b5c")}
_WATER = {BEFORE: ("#46544c", "#3f4c45"), AFTER: ("#4b5749", "#454f42")}
_SHALLOWS = {BEFORE: ("#6a6f58", "#5c6652"), AFTER: ("#6c6f54", "#5f664d")}
# Foliage: (broadleaf, conifer), each from its darkest to its lightest crown.
_FOLIAGE = {
    BEFORE: (("#4b6338", "#6c8449"), ("#374c36", "#475e3f")),
    AFTER: (("#53623a", "#7c7d48"), ("#394c37", "#495b3e")),
}
_LAWNS = [("#728846", "#84965a"), ("#7f9052", "#929e66"), ("#687d44", "#7a8952")]
_ROOFS = ["#a5664f", "#9c5d4a", "#905645", "#ad7a62", "#84695b", "#77706c", "#8c8884"]
_CARS = ["#e8e8e6", "#d8d8d8", "#30343a", "#8a2a26", "#2c4a7a", "#8c9094"]


def _rows(field: Field, contrast: float, lasting: np.random.Generator,
          season: np.random.Generator) -> Pattern:  # fmt: skip
    """Crop rows along the field, along its border at the ends, and wheel tracks."""
    profile = ndimage.gaussian_filter1d(lasting.standard_normal(4096), 1.2) * 1.6
    lane = lasting.uniform(14, 24)
    streaks = season.standard_normal(512)
    turn = np.radians(field.heading)

    def pattern(patch: Patch, inside: Array) -> Array:
        across = patch.y * np.cos(turn) - patch.x * np.sin(turn)
        border = ndimage.distance_transform_edt(inside) * float(patch.transform.a)
        across = np.where(border < HEADLAND, border, across + 2000)
        rows = np.interp(across * 1.6 % 4096, np.arange(4096), profile)
        work = np.interp(across / 6 % 512, np.arange(512), streaks)
        track = np.abs(across % lane - lane / 2)
        wheels = np.exp(-(((track - 0.9) / 0.4) ** 2))
        light = contrast * (rows + 0.7 * work) - 3.5 * contrast * wheels
        return np.asarray(np.exp(light).astype(np.float32))

    return pattern


def _paint_fields(surface: Surface, seed: int, scene: Landscape) -> None:
    names = sorted(_CROPS)
    for number, field in enumerate(scene.fields):
        crop = names[field.crop % len(names)]
        july, september, contrast = _CROPS[crop]
        look = september if scene.date == AFTER else july
        if scene.date == AFTER and crop in ("wheat", "rape") and field.crop % 7 == 4:  # noqa: PLR2004
            look = _PLOUGHED
        season = stream(seed, f"field {number} {scene.date}")
        lasting = stream(seed, f"field {number}")
        hue = 0.025 * (lasting.standard_normal(3) + season.standard_normal(3))
        tone = np.exp(hue + 0.05 * lasting.standard_normal())
        grain = look.grain * np.exp(0.3 * season.standard_normal())
        look = replace(look, grain=grain, soft=0.6, tone=(tone[0], tone[1], tone[2]))
        cover(surface, field.outline, look, _rows(field, contrast, lasting, season))


def _paint_ground(surface: Surface, seed: int, scene: Landscape) -> None:
    """Grass everywhere, then fields and forest floor."""
    grass = Look(_GRASS[scene.date], 0.15, height=0.1, bumps=0.1)
    cover(surface, shapes.FRAME.buffer(9), grass)
    tussocks = Look(
        ("#66753f", "#909469"), 0.2, soft=3, ragged=0.9, height=0.3, bumps=0.2
    )
    cover(
        surface, shapes.valley().buffer(-12), replace(tussocks, colours=grass.colours)
    )
    _paint_fields(surface, seed, scene)
    floor = Look(("#4a5334", "#565a3c"), 0.15, soft=1.5, ragged=0.8, height=0.3)
    for wood in (shapes.forest(), shapes.copse()):
        cover(surface, wood, floor)


def _paint_water(surface: Surface, scene: Landscape) -> None:
    """The bed that the river left, then water from its reeds to its deep part."""
    damp = Look(
        ("#66743f", "#857d58"), 0.22, soft=1.5, ragged=0.8, height=-0.3, bumps=0.2
    )
    reeds = Look(
        ("#69794a", "#59703e"), 0.17, soft=0.8, ragged=0.9, height=0.9, bumps=0.4
    )
    bank = Look(("#a09676", "#878464"), 0.13, soft=0.7, ragged=0.9, height=-0.4)
    shallow = Look(_SHALLOWS[scene.date], 0.08, soft=0.8, ragged=0.4, height=-1.0)
    deep = Look(_WATER[scene.date], 0.05, soft=1.6, ragged=0.9)
    cover(surface, scene.dry_bed, damp)
    for grown, look in ((2.4, reeds), (0.9, bank), (0.0, shallow), (-1.8, deep)):
        cover(surface, scene.water.buffer(grown), look)


def _paint_clearing(surface: Surface, seed: int, clearing: Geometry) -> None:
    """Felled forest: brash, grass and the ruts of the machines."""
    if clearing.is_empty:
        return
    brash = Look(
        ("#9c8d68", "#737a4c"), 0.25, soft=1.2, ragged=0.9, height=0.3, bumps=0.3
    )
    cover(surface, clearing, brash)
    rng = stream(seed, "ruts")
    left, top, right, bottom = clearing.bounds
    rut = Look(("#ab9875", "#9a8866"), 0.14, soft=0.5, ragged=0.9)
    for y in np.arange(top - 40, bottom + 20, 16):
        sway = y + np.array([0, 18, 26, 14]) + rng.normal(0, 4, 4)
        track = LineString(list(zip(np.linspace(left, right, 4), sway, strict=True)))
        for side in (-1.0, 1.0):
            wheel = track.parallel_offset(side).buffer(0.6)
            cover(surface, wheel.intersection(clearing.buffer(-3)), rut)


def _paint_pit(surface: Surface, pit: Geometry) -> None:
    """Gravel in terraces that go down to a pool, and heaps of spoil."""
    gravel = Look(("#bdae8e", "#a09274"), 0.14, soft=0.8, ragged=0.7, bumps=0.15)
    for depth, inward in ((0.0, 0), (-2.0, 6), (-4.0, 15), (-6.0, 23)):
        step = pit.buffer(-inward)
        cover(surface, step, replace(gravel, height=depth))
    pool = Look(("#6f8478", "#64796e"), 0.04, soft=0.8, ragged=0.5, height=-6.5)
    cover(surface, pit.buffer(-27), pool)
    if pit.is_empty:
        return
    heap = replace(gravel, colours=("#b3a383", "#a89877"), soft=0.3, bumps=0.2)
    ring = pit.buffer(-10).exterior
    for place, size in ((20, 5.0), (34, 4.0), (110, 5.5), (150, 3.5)):
        for rise in np.linspace(0, 1, 6):
            around = ring.interpolate(place).buffer(size * (1 - 0.8 * rise))
            cover(surface, around, replace(heap, height=float(-2 + rise * size * 0.7)))


def _paint_road(surface: Surface, road: Road) -> None:
    """Asphalt between dusty verges and a dashed line, or two wheel tracks in grass."""
    line, half = road.line, road.width / 2
    if not road.paved:
        bed = Look(("#878259", "#9a9069"), 0.14, soft=0.5, ragged=0.6, height=0.0)
        wheel = Look(("#bba986", "#ad9c7b"), 0.10, soft=0.3, ragged=0.5)
        cover(surface, line.buffer(half, cap_style="flat"), bed)
        for side in (-0.85, 0.85):
            cover(surface, line.parallel_offset(side).buffer(0.55), wheel)
        return
    verge = Look(("#a39d83", "#948f72"), 0.10, soft=0.4, ragged=0.5, height=0.0)
    asphalt = Look(("#8f8f8e", "#868685"), 0.05, height=0.0)
    worn = Look(("#9b9a97", "#93928f"), 0.05, soft=0.5)
    paint = Look(("#d5d3cb", "#cbc9c1"), 0.03, soft=0.1)
    cover(surface, line.buffer(half + 0.8, cap_style="flat"), verge)
    cover(surface, line.buffer(half, cap_style="flat"), asphalt)
    for side in (-half / 2, half / 2):
        cover(surface, line.parallel_offset(side).buffer(0.6), worn)
    for start in np.arange(2, line.length - 4, 9) if road.width > 6 else []:  # noqa: PLR2004
        dash = LineString([line.interpolate(start + at) for at in (0, 2, 4)])
        cover(surface, dash.buffer(0.13, cap_style="flat"), paint)


def _paint_garden(surface: Surface, plot: Plot, rng: np.random.Generator) -> None:
    """Lawn and a vegetable bed."""
    lawn = Look(_LAWNS[int(rng.integers(len(_LAWNS)))], 0.13, soft=0.5, ragged=0.5)
    cover(surface, plot.outline, replace(lawn, height=0.0))
    corners = np.asarray(plot.outline.exterior.coords)[:4]
    corner = corners[int(rng.integers(4))] * 0.65 + corners.mean(0) * 0.35
    bed = Point(*corner).buffer(rng.uniform(2, 5), quad_segs=1)
    soil = Look(("#7b6a4e", "#666d40"), 0.2, soft=0.3, height=0.2, bumps=0.2)
    if rng.random() < 0.7:  # noqa: PLR2004
        cover(surface, bed.intersection(plot.outline.buffer(-1.2)), soil)


def _paint_village(surface: Surface, seed: int, scene: Landscape) -> None:
    """Gardens, drives, paths around the houses, hedges, sheds and houses."""
    paving = Look(("#a8a295", "#9a9484"), 0.08, soft=0.2, height=0.0)
    hedge = Look(
        ("#54693c", "#627541"), 0.18, soft=0.3, ragged=0.8, height=1.4, bumps=0.5
    )
    for plot in [*scene.vacant, *scene.plots]:
        name = f"garden {plot.outline.centroid.x:.0f} {plot.outline.centroid.y:.0f}"
        _paint_garden(surface, plot, stream(seed, name))
    for plot in scene.plots:
        path = plot.house.outline.buffer(1.0, join_style="mitre")
        cover(surface, path.union(plot.drive), paving)
    for line in getattr(scene.hedges, "geoms", [scene.hedges]):
        cover(surface, line.buffer(0.6), hedge)
    for plot in [*scene.vacant, *scene.plots]:
        _build(surface, plot.shed)
    for plot in scene.plots:
        _build(surface, plot.house)


def _build(surface: Surface, house: House) -> None:
    """A gable roof with a ridge, rows of tiles and a chimney."""
    patch = surface.patch(house.outline.buffer(1).bounds)
    if patch is None:
        return
    turn = np.radians(house.heading)
    dx, dy = patch.x - house.x, patch.y - house.y
    along = dx * np.cos(turn) + dy * np.sin(turn)
    across = dy * np.cos(turn) - dx * np.sin(turn)
    window = (patch.rows, patch.cols)
    inside = (np.abs(along) < house.length / 2) & (np.abs(across) < house.width / 2)
    roof = house.eave + ROOF_SLOPE * (house.width / 2 - np.abs(across))
    chimney = (np.hypot(along - 2, across - 1.2) < 0.6) & (house.width > 7)  # noqa: PLR2004
    surface.height[window][inside] = (roof + 0.9 * chimney)[inside]
    stains = 0.08 * surface.fine[window] + 0.08 * surface.medium[window]
    ridge = 0.25 * (np.abs(across) < 0.2)  # noqa: PLR2004
    tiles = 1 + 0.05 * np.sin(across * 9) + stains + ridge
    colour = linear(_ROOFS[house.roof % len(_ROOFS)]) * np.where(chimney, 0.6, tiles)
    surface.albedo[:, patch.rows, patch.cols][:, inside] = colour[:, inside]


def _park(surface: Surface, car: House) -> None:
    """A vehicle: a flat box of one colour with dark glass."""
    paint = _CARS[car.roof % len(_CARS)]
    body = Look((paint, paint), 0.02, soft=0.1, height=car.eave)
    glass = Look(("#2a2e33", "#2a2e33"), 0.02, soft=0.1)
    turn = np.radians(car.heading)
    front = Point(car.x + 0.9 * np.cos(turn), car.y + 0.9 * np.sin(turn))
    cover(surface, car.outline, body)
    cover(surface, front.buffer(0.6), glass)


def _plant(surface: Surface, tree: Tree, date: Date) -> None:
    """A crown: a bumpy dome, or a cone for conifers; the taller tree stays on top."""
    reach = tree.radius * 1.4
    x, y = tree.x, tree.y
    patch = surface.patch((x - reach, y - reach, x + reach, y + reach))
    if patch is None:
        return
    window = (patch.rows, patch.cols)
    clumps = surface.medium[window] * 0.14 + surface.fine[window] * 0.10
    away = np.hypot(patch.x - x, patch.y - y) / tree.radius
    away = np.clip(away + clumps * np.clip(away, 0, 1), 0, None)
    drop = 0.75 * away if tree.conifer else 0.5 * away**2.2
    bumps = (0.3 if tree.conifer else 0.45) * surface.fine[window]
    top = tree.height * (1 - drop) + bumps
    grow = (away < 1) & (top > surface.height[window])
    dark, light = _FOLIAGE[date][tree.conifer]
    colour = linear(dark) * (1 - tree.tint) + linear(light) * tree.tint
    shades = np.exp(0.18 * surface.fine[window] - 0.2 * (away - 0.5))
    surface.height[window][grow] = top[grow]
    surface.albedo[:, patch.rows, patch.cols][:, grow] = (colour * shades)[:, grow]


def paint(seed: int, date: Date, spacing: float) -> Surface:
    """Paint the landscape of one date on a canvas with pixels of `spacing` m."""
    scene = landscape(seed, date)
    surface = blank(spacing, stream(seed, "ground"), stream(seed, f"season {date}"))
    _paint_ground(surface, seed, scene)
    _paint_water(surface, scene)
    _paint_clearing(surface, seed, scene.clearing)
    _paint_pit(surface, scene.pit)
    for road in scene.roads:
        if not road.paved:
            _paint_road(surface, road)
    _paint_village(surface, seed, scene)
    for road in scene.roads:
        if road.paved:
            _paint_road(surface, road)
    for tree in scene.trees:
        _plant(surface, tree, date)
    for car in scene.cars:
        _park(surface, car)
    return surface
