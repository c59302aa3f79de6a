"""The web page and its JSON API: what `geosim serve` runs. Needs `geosim[web]`."""
