import sys

from stmpy.cli import main

sys.exit(main())
