"""What the documentation site takes from elsewhere: a hook of MkDocs.

Pages that are made when the site is built, so that nothing is written twice: the
command line's reference from the commands themselves, the notebook with its pictures,
the workflows, the changelog, the page for contributors and that of the sample data.
Links to files outside of `docs/` lead to these pages.
"""

from __future__ import annotations

import ast
import base64
import posixpath
import re
import sys
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
NOTEBOOK = "tutorials/compare_train_search.md"
HOMES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "sample_data/README.md": "sample_data.md",
    "sample_data": "sample_data.md",
    "workflows": "workflows.md",
    "notebooks/compare_train_search.ipynb": NOTEBOOK,
}
"""File of the checkout -> page of the site."""
PICTURE_KINDS = {"image/png": ".png", "image/jpeg": ".jpg"}
API_PAGE = "reference/api.md"
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "sample_data/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, HOMES[name], content=text))
    files.append(
        File.generated(config, "reference/cli.md", content="\n".join(command_pages()))
    )
    files.append(
        File.generated(config, HOMES["workflows"], content="\n".join(workflow_page()))
    )
    for path, content in notebook_files():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:  # noqa: ANN401
    """Lead links of the checkout to pages of the site; complete the API's page."""
    here = page.file.src_uri
    origins = {home: name for name, home in HOMES.items() if "." in name}
    origin = origins.get(here, f"docs/{here}")
    if here == API_PAGE:
        markdown += "".join(names_left(markdown))

    def moved(link: re.Match[str]) -> str:
        target = link[2]
        if ":" in target:
            return link[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        home = HOMES.get(place)
        anchor = link[3] or ""
        if place.startswith("workflows/"):
            home, anchor = HOMES["workflows"], f"#{Path(place).stem}"
        elif place.startswith("docs/"):
            home = place.removeprefix("docs/")
        if home is None:
            return link[0]
        way = posixpath.relpath(home, posixpath.dirname(here) or ".")
        return f"{link[1]}{way}{anchor}{link[4]}"

    return LINK.sub(moved, markdown)


def names_left(markdown: str) -> Iterator[str]:
    """The directives of public names that the API's page does not have yet."""
    sys.path.insert(0, str(ROOT))
    import geosim

    shown = set(re.findall(r"^::: geosim\.(\w+)$", markdown, re.MULTILINE))
    left = [name for name in geosim.__all__ if name not in {*shown, "__version__"}]
    if left:
        yield "\n\n## More\n"
    for name in left:
        yield f"\n::: geosim.{name}\n"


def command_pages() -> Iterator[str]:
    """The reference of the command line, from the commands, as lines of Markdown."""
    sys.path.insert(0, str(ROOT))
    import typer

    from geosim.cli import app

    group: Any = typer.main.get_command(app)
    yield "# Command line\n"
    yield (
        "Made from the commands themselves; `geosim COMMAND --help` says the same. "
        "Exit codes: 0 done, 1 refused (one line says why), 2 wrong usage, "
        "130 interrupted.\n"
    )
    yield "| command | what it does |"
    yield "|---|---|"
    for name, command in group.commands.items():
        yield f"| [`geosim {name}`](#geosim-{name}) | {_first(command.help)} |"
    for name, command in group.commands.items():
        yield f"\n## geosim {name}\n"
        yield from _command(name, command)


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - click's or typer's
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [
        one
        for one in command.params
        if one.param_type_name == "option" and not one.hidden
    ]
    shown = " ".join(_argument(one) for one in arguments)
    yield f"```text\ngeosim {name} {shown + ' ' if shown else ''}[OPTIONS]\n```\n"
    yield re.sub(r"(?m)^ +", "", command.help or "").strip() + "\n"
    if arguments:
        yield "| argument | what |\n|---|---|"
        for one in arguments:
            yield f"| `{_argument(one)}` | {_cell(one.help)} |"
        yield ""
    yield "| option | what | default |\n|---|---|---|"
    for one in options:
        names = ", ".join(f"`{text}`" for text in reversed(one.opts))
        value = "" if one.is_flag else f" {_value(one)}"
        yield f"| {names}{value} | {_cell(one.help)} | {_default(one)} |"


def _argument(argument: Any) -> str:  # noqa: ANN401
    name = argument.metavar or argument.name.upper()
    several = "..." if argument.nargs == -1 else ""
    return f"{name}{several}" if argument.required else f"[{name}{several}]"


def _value(option: Any) -> str:  # noqa: ANN401
    if option.metavar:
        return f"`{option.metavar}`"
    kind = option.type_descriptor.annotation
    choices = [str(one) for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) is Literal:
        return " / ".join(f"`{choice}`" for choice in choices)
    return {int: "`N`", float: "`X`", Path: "`PATH`"}.get(kind, "`TEXT`")


def _default(option: Any) -> str:  # noqa: ANN401
    if isinstance(option.show_default, str):
        return _cell(option.show_default)
    if option.required:
        return "required"
    if option.is_flag or option.default in (None, [], ()) or callable(option.default):
        return ""
    return f"`{getattr(option.default, 'value', option.default)}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _first(text: str | None) -> str:
    return _cell((text or "").strip().split("\n\n")[0])


def workflow_page() -> Iterator[str]:
    """Every script of `workflows/` with what it says of itself."""
    yield "# Workflows\n"
    yield (
        "Short scripts over the public interface, to copy and change. Each runs on "
        "the sample data (`python workflows/NAME.py` in a checkout), in CI too.\n"
    )
    for path in sorted((ROOT / "workflows").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        about = ast.get_docstring(ast.parse(text)) or ""
        code = text.split('"""', 2)[2].strip()
        yield f"## {path.stem}\n\n{about}\n\n```python\n{code}\n```\n"


def notebook_files() -> Iterator[tuple[str, str | bytes]]:
    """The notebook as a page, and its pictures."""
    import nbformat

    path = ROOT / "notebooks" / f"{Path(NOTEBOOK).stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    parts: list[str] = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        said = ""
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            kind = next((one for one in PICTURE_KINDS if one in data), None)
            if kind is None:
                said += output.get("text") or data.get("text/plain", "")
                continue
            name = f"{path.stem}_{number}{PICTURE_KINDS[kind]}"
            place = posixpath.join(posixpath.dirname(NOTEBOOK), name)
            yield place, base64.b64decode(data[kind])
            parts.append(f"![What the cell above shows]({name})")
        if said:
            parts.append(f"```text\n{said.rstrip()}\n```")
    yield NOTEBOOK, "\n\n".join(parts) + "\n"
