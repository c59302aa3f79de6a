"""Run the notebook from its first cell to its last; fail where a cell fails.

`python scripts/run_notebook.py [--write]`: with --write the outputs go into the file,
small as they are, for readers and for the documentation site.
"""

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOK = FOLDER / "compare_train_search.ipynb"
CELL_SECONDS = 300
MOST_BYTES = 1_000_000


def main() -> None:
    """Read the command line, run all cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    text = nbformat.writes(notebook)
    if len(text) > MOST_BYTES:
        raise SystemExit(f"{NOTEBOOK.name} has {len(text)} bytes; show less in it")
    if options.write:
        NOTEBOOK.write_text(text + "\n", encoding="utf-8")
    print(f"{NOTEBOOK.name}: {len(notebook.cells)} cells ran, {len(text)} bytes")


if __name__ == "__main__":
    main()
