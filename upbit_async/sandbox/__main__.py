"""Entry point of ``python -m upbit_async.sandbox``."""

import sys

from upbit_async.sandbox.command_line import main

if __name__ == "__main__":
    sys.exit(main())
