"""The colours of a result: one home for the QGIS styles and the colour table.

All colours stay apart for readers who cannot tell red from green.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from geosim.themes.classes import CHANGED_CLASS, CLASSES, RGBA

SAME, CHANGED, NODATA = 0, 1, 255
CHANGE_COLOUR: RGBA = (216, 27, 96, 255)
TRANSPARENT: RGBA = (255, 255, 255, 0)
CHANGE_COLOUR_TABLE: dict[int, RGBA] = {
    SAME: TRANSPARENT,
    CHANGED: CHANGE_COLOUR,
    NODATA: (0, 0, 0, 0),
}
"""Colours of `change.tif`; formats without alpha show "same" as white."""
CLASS_LABELS: dict[int, str] = {SAME: "same", CHANGED: "changed", NODATA: "no data"}


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A value and its colour on a ramp; colours between stops are mixed."""

    value: float
    """Value of the raster, after its scale and offset."""
    colour: RGBA
    """Red, green, blue, alpha; 0..255."""
    label: str
    """What the legend says."""


PROBABILITY_RAMP: tuple[Stop, ...] = (
    Stop(value=0.0, colour=(255, 247, 200, 0), label="0 same"),
    Stop(value=0.1, colour=(254, 227, 145, 0), label="0.1"),
    Stop(value=0.3, colour=(254, 196, 79, 170), label="0.3"),
    Stop(value=0.5, colour=(247, 129, 4, 220), label="0.5"),
    Stop(value=0.75, colour=(198, 30, 60, 240), label="0.75"),
    Stop(value=1.0, colour=(86, 4, 86, 255), label="1 changed"),
)
"""Colours of the probability of change: the darker, the surer."""

SIMILARITY_RAMP: tuple[Stop, ...] = (
    Stop(value=0.0, colour=(178, 24, 43, 220), label="0 different"),
    Stop(value=0.25, colour=(239, 138, 98, 200), label="0.25"),
    Stop(value=0.5, colour=(247, 240, 180, 170), label="0.5"),
    Stop(value=0.75, colour=(146, 197, 222, 140), label="0.75"),
    Stop(value=1.0, colour=(33, 102, 172, 110), label="1 same"),
)
"""Colours of a tile's similarity: red is different, faint blue the same."""

_TILE_CLASSES = (
    ('"similarity" < 0.2', "0 to 0.2 different"),
    ('"similarity" >= 0.2 AND "similarity" < 0.4', "0.2 to 0.4"),
    ('"similarity" >= 0.4 AND "similarity" < 0.6', "0.4 to 0.6"),
    ('"similarity" >= 0.6 AND "similarity" < 0.8', "0.6 to 0.8"),
    ('"similarity" >= 0.8', "0.8 to 1 same"),
)
_HEADER = (
    "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    '<qgis version="3.22.0" styleCategories="{categories}">\n'
)
_RASTER = """{header}  <pipe>
    <provider>
      <resampling enabled="false" maxOversampling="2"
        zoomedInResamplingMethod="nearestNeighbour"
        zoomedOutResamplingMethod="nearestNeighbour"/>
    </provider>
{renderer}    <brightnesscontrast brightness="0" contrast="0" gamma="1"/>
    <huesaturation saturation="0" grayscaleMode="0" colorizeOn="0"/>
    <rasterresampler maxOversampling="2"/>
    <resamplingStage>resamplingFilter</resamplingStage>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
"""
_PSEUDOCOLOUR = """    <rasterrenderer type="singlebandpseudocolor" band="1"
      opacity="1" alphaBand="-1" nodataColor=""
      classificationMin="{low}" classificationMax="{high}">
      <rasterTransparency/>
      <minMaxOrigin>
        <limits>None</limits>
        <extent>WholeRaster</extent>
        <statAccuracy>Estimated</statAccuracy>
      </minMaxOrigin>
      <rastershader>
        <colorrampshader colorRampType="INTERPOLATED" classificationMode="1"
          clip="0" minimumValue="{low}" maximumValue="{high}" labelPrecision="2">
{items}        </colorrampshader>
      </rastershader>
    </rasterrenderer>
"""
_PALETTED = """    <rasterrenderer type="paletted" band="1"
      opacity="1" alphaBand="-1" nodataColor="">
      <rasterTransparency/>
      <colorPalette>
{items}      </colorPalette>
    </rasterrenderer>
"""
_VECTOR = """{header}{renderer}  <blendMode>0</blendMode>
  <featureBlendMode>0</featureBlendMode>
  <layerOpacity>1</layerOpacity>
  <layerGeometryType>2</layerGeometryType>
</qgis>
"""
_SYMBOL = """      <symbol type="fill" name={name} alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" pass="{level}" locked="0" enabled="1">
          <prop k="style" v="{style}"/>
          <prop k="color" v="{fill}"/>
          <prop k="outline_style" v="solid"/>
          <prop k="outline_color" v="{outline}"/>
          <prop k="outline_width" v="{width}"/>
          <prop k="outline_width_unit" v="MM"/>
          <prop k="joinstyle" v="miter"/>
        </layer>
      </symbol>
"""


def difference_style() -> str:
    """QML for `difference.tif`: the probability, transparent where it is low."""
    return _raster(_pseudocolour(PROBABILITY_RAMP))


def tiles_style() -> str:
    """QML for `tiles.tif`: the similarity, red where the tile is different."""
    return _raster(_pseudocolour(SIMILARITY_RAMP))


def change_style() -> str:
    """QML for `change.tif`: only what changed has a colour."""
    return palette_style(
        {
            value: (CLASS_LABELS[value], colour)
            for value, colour in CHANGE_COLOUR_TABLE.items()
            if value != NODATA
        }
    )


def palette_style(classes: Mapping[int, tuple[str, RGBA]]) -> str:
    """QML of a raster of classes: label and colour of each value, others without."""
    items = "".join(
        f'        <paletteEntry value="{value}" color="{_hex(colour)}"'
        f' alpha="{colour[3]}" label={quoteattr(label)}/>\n'
        for value, (label, colour) in classes.items()
    )
    return _raster(_PALETTED.format(items=items))


def changes_layer_style() -> str:
    """QML for the layer `changes`: by class; the image stays visible."""
    categories, symbols = [], []
    # QGIS draws by an empty value what no other category holds
    kinds = [*CLASSES.items(), ("", CLASSES[CHANGED_CLASS])]
    for number, (slug, kind) in enumerate(kinds):
        label = kind.label if slug else "any other"
        categories.append(
            f'      <category symbol="{number}" value={quoteattr(slug)}'
            f' label={quoteattr(label)} render="true"/>\n'
        )
        fill = (*kind.colour[:3], 64)
        symbols.append(_symbol(str(number), fill=fill, outline=kind.colour, width=0.5))
    renderer = (
        '  <renderer-v2 type="categorizedSymbol" attr="class" symbollevels="0"'
        ' enableorderby="0" forceraster="0">\n'
        f"    <categories>\n{''.join(categories)}    </categories>\n"
        f"    <symbols>\n{''.join(symbols)}    </symbols>\n  </renderer-v2>\n"
    )
    return _vector(renderer)


def tiles_layer_style() -> str:
    """QML for the layer `tiles`: outlines by similarity, grey without a score."""
    rules, symbols = [], []
    for number, (condition, label) in enumerate(_TILE_CLASSES):
        rules.append(_rule(number, label, condition))
        outline = (*SIMILARITY_RAMP[number].colour[:3], 255)
        level = len(_TILE_CLASSES) - number  # red is drawn over its neighbours
        symbols.append(
            _symbol(str(number), outline=outline, width=0.2 + 0.1 * level, level=level)
        )
    rules.append(_rule(len(symbols), "no score", "ELSE"))
    grey = (128, 128, 128, 255)
    symbols.append(_symbol(str(len(symbols)), outline=grey, width=0.2))
    renderer = (
        '  <renderer-v2 type="RuleRenderer" symbollevels="1" enableorderby="0">\n'
        f'    <rules key="root">\n{"".join(rules)}    </rules>\n'
        f"    <symbols>\n{''.join(symbols)}    </symbols>\n  </renderer-v2>\n"
    )
    return _vector(renderer)


RASTER_STYLES: dict[str, Callable[[], str]] = {
    "difference.tif": difference_style,
    "change.tif": change_style,
    "tiles.tif": tiles_style,
}
"""File name to the generator of its QML text."""

LAYER_STYLES: dict[str, Callable[[], str]] = {
    "changes": changes_layer_style,
    "tiles": tiles_layer_style,
}
"""Layer name to the generator of its QML text."""


def _raster(renderer: str) -> str:
    return _RASTER.format(header=_HEADER, renderer=renderer)


def _vector(renderer: str) -> str:
    return _VECTOR.format(header=_HEADER, renderer=renderer)


def _pseudocolour(ramp: Sequence[Stop]) -> str:
    items = "".join(
        f'          <item value="{stop.value}" color="{_hex(stop.colour)}"'
        f' alpha="{stop.colour[3]}" label={quoteattr(stop.label)}/>\n'
        for stop in ramp
    )
    return _PSEUDOCOLOUR.format(low=ramp[0].value, high=ramp[-1].value, items=items)


def _symbol(
    name: str, *, outline: RGBA, width: float, fill: RGBA | None = None, level: int = 0
) -> str:
    """A polygon symbol; those of a higher level are drawn over the others."""
    return _SYMBOL.format(
        name=quoteattr(name),
        level=level,
        style="no" if fill is None else "solid",
        fill=",".join(map(str, fill or TRANSPARENT)),
        outline=",".join(map(str, outline)),
        width=round(width, 2),
    )


def _rule(number: int, label: str, condition: str) -> str:
    return (
        f'      <rule key="rule-{number}" symbol="{number}"'
        f" label={quoteattr(label)} filter={quoteattr(condition)}/>\n"
    )


def _hex(colour: RGBA) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour[:3])
