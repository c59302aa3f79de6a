"""From differences to objects: pure functions of arrays, no file is touched here."""
