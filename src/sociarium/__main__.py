"""``python -m sociarium``."""

from sociarium.cli.main import main

main()
