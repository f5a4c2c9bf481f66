"""``python -m vocabseg``."""

import sys

from .cli import main

sys.exit(main())
