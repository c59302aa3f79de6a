"""How QGIS shows a sample: what is answered, a list to answer from, the chip beside."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OPEN, _DONE = "230,97,1,255", "33,140,220,255"

_POINT = """      <symbol type="marker" name="{number}" alpha="1" clip_to_extent="1">
        <layer class="SimpleMarker" pass="0" locked="0" enabled="1">
          <prop k="name" v="cross2"/>
          <prop k="color" v="{colour}"/>
          <prop k="outline_color" v="{colour}"/>
          <prop k="outline_width" v="0.6"/>
          <prop k="size" v="4"/>
        </layer>
      </symbol>
"""
_QGIS = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22.0" styleCategories="Symbology|Fields|Forms|MapTips">
  <fieldConfiguration>
{fields}  </fieldConfiguration>
  <renderer-v2 type="RuleRenderer" symbollevels="0" enableorderby="0">
    <rules key="root">
      <rule key="open" symbol="0" label="to answer" filter={open}/>
      <rule key="done" symbol="1" label="answered" filter="ELSE"/>
    </rules>
    <symbols>
{symbols}    </symbols>
  </renderer-v2>
  <mapTip>{tip}</mapTip>
  <layerGeometryType>0</layerGeometryType>
</qgis>
"""
_FIELD = """    <field name="{name}">
      <editWidget type="{kind}">
        <config>
{config}        </config>
      </editWidget>
    </field>
"""


def samples_style(answers: Mapping[str, str], hidden: Sequence[str]) -> str:
    """QML for the layer `samples`.

    Args:
        answers: what is written into `reference`, and how the list shows it.
        hidden: fields that a form does not show, so that the map does not sway the
            answer.
    """
    pairs = "".join(
        '            <Option type="Map">\n'
        f'              <Option type="QString" name={quoteattr(label)}'
        f" value={quoteattr(value)}/>\n            </Option>\n"
        for value, label in answers.items()
    )
    choice = (
        '          <Option type="Map">\n            <Option type="List" name="map">\n'
        f"{pairs}            </Option>\n          </Option>\n"
    )
    picture = (
        '          <Option type="Map">\n'
        '            <Option type="int" name="DocumentViewer" value="1"/>\n'
        '            <Option type="bool" name="FileWidget" value="false"/>\n'
        '            <Option type="int" name="RelativeStorage" value="2"/>\n'
        '            <Option type="Map" name="PropertyCollection">\n'
        '              <Option type="QString" name="name" value=""/>\n'
        '              <Option type="Map" name="properties">\n'
        '                <Option type="Map" name="propertyRootPath">\n'
        '                  <Option type="bool" name="active" value="true"/>\n'
        '                  <Option type="QString" name="expression"'
        " value=\"file_path(layer_property(@layer_id, 'path'))\"/>\n"
        '                  <Option type="int" name="type" value="3"/>\n'
        "                </Option>\n              </Option>\n"
        '              <Option type="QString" name="type" value="collection"/>\n'
        "            </Option>\n          </Option>\n"
    )
    fields = _FIELD.format(name="reference", kind="ValueMap", config=choice)
    fields += _FIELD.format(name="chip", kind="ExternalResource", config=picture)
    for name in hidden:
        fields += _FIELD.format(name=name, kind="Hidden", config="")
    symbols = (_POINT.format(number=n, colour=c) for n, c in enumerate((_OPEN, _DONE)))
    empty = quoteattr('"reference" IS NULL OR "reference" = \'\'')
    tip = 'sample [% "id" %]: [% coalesce("reference", \'to answer\') %]'
    return _QGIS.format(fields=fields, open=empty, symbols="".join(symbols), tip=tip)


def pixels_style() -> str:
    """QML for the layer `pixels`: the outline of what is judged."""
    return """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22.0" styleCategories="Symbology">
  <renderer-v2 type="singleSymbol" symbollevels="0" enableorderby="0">
    <symbols>
      <symbol type="fill" name="0" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" pass="0" locked="0" enabled="1">
          <prop k="style" v="no"/>
          <prop k="outline_style" v="solid"/>
          <prop k="outline_color" v="255,255,0,255"/>
          <prop k="outline_width" v="0.5"/>
          <prop k="outline_width_unit" v="MM"/>
        </layer>
      </symbol>
    </symbols>
  </renderer-v2>
  <layerGeometryType>2</layerGeometryType>
</qgis>
"""
