"""What the engine takes besides the model. Prints JSON; ``sociarium bench overhead`` shows a table."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "overhead", "--json"])
