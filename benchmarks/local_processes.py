"""Whether the local model gains from threads or processes. Prints JSON; ``sociarium bench local_processes`` shows a table."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "local_processes", "--json"])
