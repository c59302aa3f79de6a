"""Check that the built documentation site loads nothing from other hosts.

`python scripts/check_site.py site` looks at everything that a browser would fetch by
itself: scripts, styles, fonts, pictures, frames. Links for a reader to follow are free.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "manifest"}
AWAY = re.compile(r"^\s*(?:https?:)?//")
IN_STYLE = re.compile(
    r"(?:url\(\s*[\"']?|@import\s+[\"'])\s*((?:https?:)?//[^\"')\s]+)"
)


class Fetched(HTMLParser):
    """Collects what a page has fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.away: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses on other hosts."""
        known = dict(attrs)
        wanted = FETCHED.get(tag, ())
        if tag == "link" and RELATIONS & set((known.get("rel") or "").split()):
            wanted = ("href",)
        for name in wanted:
            if AWAY.match(known.get(name) or ""):
                self.away.append(f"<{tag} {name}={known[name]}>")


def addresses_away(path: Path) -> list[str]:
    """What a file has fetched from other hosts."""
    text = path.read_text(encoding="utf-8")
    found = IN_STYLE.findall(text)
    if path.suffix == ".html":
        parser = Fetched()
        parser.feed(text)
        found += parser.away
    return found


def main() -> None:
    """Look through the site; fail where something is fetched from elsewhere."""
    site = Path(sys.argv[1])
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    away = [f"{path}: {one}" for path in files for one in addresses_away(path)]
    if away or not files:
        raise SystemExit("\n".join(["fetched from other hosts:", *away]))
    print(f"{len(files)} files fetch nothing from other hosts")


if __name__ == "__main__":
    main()
