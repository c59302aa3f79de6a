"""`python cli.py change 1990.tif 2020.tif`: the command line from a checkout."""

from geosim.cli import main

if __name__ == "__main__":
    main()
