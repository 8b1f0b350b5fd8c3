"""What an agent-turn takes besides the model. Prints JSON; ``sociarium bench models`` shows a table."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "models", "--json"])
