"""`python cli.py change 1990.tif 2020.tif`: the command line from a checkout."""

from geosim.__main__ import main

if __name__ == "__main__":
    main()
