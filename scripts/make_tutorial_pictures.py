"""Make the tutorials' pictures: screenshots of the reports that their commands write.

`python scripts/make_tutorial_pictures.py FOLDER` wants in FOLDER what the commands of
`docs/tutorials` leave (`change`, `series`, `samples_chips`, `assessment`), and Chromium
with the extra `geosim[browser]`.
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
CHIP = "0002.png"
QUALITY = 80


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1]).resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 960, "height": 1420})
        open_page(page, folder / "change" / "report.html")
        keep(page.screenshot(), "tutorial_change.webp")
        open_page(page, folder / "series" / "report.html")
        page.get_by_role("slider").first.press("End")
        page.set_viewport_size({"width": 960, "height": 1560})
        keep(page.screenshot(), "tutorial_series.webp")
        open_page(page, folder / "assessment" / "assessment.html")
        page.set_viewport_size({"width": 960, "height": 940})
        keep(page.screenshot(), "tutorial_assessment.webp")
        browser.close()
    chip = (folder / "samples_chips" / CHIP).read_bytes()
    keep(chip, "tutorial_chip.webp")


def open_page(page: Page, path: Path) -> None:
    """Show a page without moving parts."""
    page.goto(path.as_uri())
    page.wait_for_timeout(500)


def keep(screenshot: bytes, name: str) -> None:
    """Write a picture as a small file."""
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    picture.save(PICTURES / name, quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
