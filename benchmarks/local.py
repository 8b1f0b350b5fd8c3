"""The local model beside the raw engines. Prints JSON; ``sociarium bench local`` shows a table, ``SOCIARIUM_BENCH=full`` measures all."""

from sociarium.cli.main import main

if __name__ == "__main__":
    main(["bench", "local", "--json"])
