"""`python -m geosim`: the command line, where its script is not on the path."""

from geosim.cli import main

if __name__ == "__main__":
    main()
