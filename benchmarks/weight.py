"""How heavy the package is. Prints JSON; ``sociarium bench weight`` shows a table."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "weight", "--json"])
