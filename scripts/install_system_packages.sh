#!/usr/bin/env bash
# Debian packages that some tests use; those tests are skipped where they are missing.
#   qgis python3-qgis   loads and renders every output in the real QGIS
#   gdal-bin            gdalbuildvrt for a mosaic of two tiles
set -u
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
    echo "not root on Debian: the tests that need QGIS or gdal-bin will be skipped"
    exit 0
}
export DEBIAN_FRONTEND=noninteractive
if ! /usr/bin/python3 -c 'import qgis.core' 2>/dev/null || ! command -v gdalbuildvrt >/dev/null; then
    apt-get update -qq && apt-get install -y -qq qgis python3-qgis gdal-bin >/dev/null
fi
exit 0
