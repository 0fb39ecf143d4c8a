#!/usr/bin/env python3
"""One of the steps of steps.py, which says what it burns; --help says how it is called."""

import sys

from steps import main

sys.exit(main("debuggers"))
