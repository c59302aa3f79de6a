"""What makes a finished run loadable and readable.

record       what a run did and found, as plain values
styles       the colours, as QGIS styles and as a colour table
geopackage   vector layers with their styles in one file
footprint    where a grid lies, in longitude and latitude
stac         a run as a STAC Item
report       a run as one HTML page
"""
