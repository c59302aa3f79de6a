#!/usr/bin/env bash
# Debian packages that some tests use; those tests are skipped where they are missing.
#   qgis python3-qgis   loads and renders every output in the real QGIS
#   gdal-bin            gdalbuildvrt for a mosaic of two tiles
#   postgresql postgis  a database that the tests start themselves
set -u
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
    echo "not root on Debian: tests that need QGIS, gdal-bin or PostGIS will be skipped"
    exit 0
}
export DEBIAN_FRONTEND=noninteractive
if ! /usr/bin/python3 -c 'import qgis.core' 2>/dev/null || ! command -v gdalbuildvrt >/dev/null; then
    apt-get update -qq && apt-get install -y -qq qgis python3-qgis gdal-bin >/dev/null
fi
if ! ls /usr/lib/postgresql/*/bin/initdb /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1; then
    # no server of the system's own: the tests start one
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/tests.conf
    apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        postgresql postgresql-postgis >/dev/null
fi
exit 0
