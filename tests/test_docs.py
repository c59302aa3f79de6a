"""What the documentation shows exists: commands, options, imports; tutorials run."""

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest
import typer

from geosim.cli import app
from scripts.docs_blocks import BLOCK, blocks, run_page

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
COMMANDS = {
    name: {text for one in command.params for text in (*one.opts, *one.secondary_opts)}
    | {"--help"}
    for name, command in typer.main.get_command(app).commands.items()
}
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def named(path):
    return str(path.relative_to(ROOT))


def shown_commands(text):
    """Every `geosim NAME ...` of a page with the options beside and below it."""
    for block in BLOCK.finditer(text):
        name = None
        for line in block["text"].splitlines():
            found = re.match(r"\s*(?:\w+=\S+ )*geosim ([a-z]+)(.*)", line)
            if found:
                name, rest = found[1], found[2]
            elif name and re.match(r"\s+--", line):
                rest = line
            else:
                name = None
                continue
            # what follows two spaces is said about it
            yield name, re.split(r"\s{2,}(?!-)", rest.strip())[0]
    prose = BLOCK.sub("", text)
    for inline in re.finditer(r"`geosim ([a-z]+)([^`]*)`", prose):
        yield inline[1], inline[2]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_options_exist(page):
    for name, rest in shown_commands(page.read_text(encoding="utf-8")):
        assert name in COMMANDS, f"geosim {name}"
        for option in OPTION.findall(rest):
            assert option in COMMANDS[name], f"geosim {name} {option}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_blocks_parse_and_their_names_exist(page):
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["kind"] != "python":
            continue
        for node in ast.walk(ast.parse(block["text"])):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("geosim"):
                home = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(home, alias.name), f"{node.module}.{alias.name}"


def test_shown_commands_are_found():
    page = (
        "```\ngeosim change a.tif b.tif -o out    choose the --folder\n"
        "  --method cva    another\ngeosim bench\n```\nand `geosim train --steps 3`\n"
    )
    assert list(shown_commands(page)) == [
        ("change", "a.tif b.tif -o out"),
        ("change", "--method cva"),
        ("bench", ""),
        ("train", " --steps 3"),
    ]


def test_a_failing_block_stops_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run -->\n```bash\ntouch skipped\n```\n```text\ntouch shown\n```\n"
        "```bash\ntouch first\n```\n```python\nraise SystemExit(3)\n```\n"
        "```bash\ntouch last\n```\n",
        encoding="utf-8",
    )
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        run_page(page, folder)
    assert (folder / "first").exists()
    assert not {"skipped", "shown", "last"} & {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.py")), ids=named)
def test_workflows_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=named)
def test_tutorials_run(page, tmp_path):
    assert list(blocks(page))
    run_page(page, tmp_path)
