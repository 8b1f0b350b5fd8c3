"""What workers cost beside the ideal. Prints JSON; ``sociarium bench cluster`` shows a table."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "cluster", "--json"])
