"""Print the fenced block of the README that follows the comment `<!-- NAME -->`.

So CI runs the very commands and lines that a reader sees.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def readme_block(name: str) -> str:
    """The text between the fences after the comment `<!-- name -->`."""
    pattern = rf"<!-- {re.escape(name)} -->\s*```\w*\n(.*?)```"
    found = re.search(pattern, README.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no block '{name}'")
    return found[1]


if __name__ == "__main__":
    print(readme_block(sys.argv[1]), end="")
