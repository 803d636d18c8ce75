# SPDX-License-Identifier: MIT
"""`python -m tinyprof`: the command line."""

from tinyprof.cli import main

if __name__ == "__main__":
    main()
