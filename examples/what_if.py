"""The same lake from its third month on, in two futures: as it is, and after half of it was taken away. A fork is a copy in memory."""

from sociarium.scenarios import catalogue

simulation = catalogue.scenario("govsim").of({"policies": "sustainable"}).build(seed=1)
simulation.run_sync(2)

fork = simulation.fork()
fork.inject("commons.set_stock", stock=50)
for future in (simulation, fork):
    future.run_sync()
for name, future in (("as it is", simulation), ("half taken away", fork)):
    found = future.world.measures()
    print(f"{name}: {found['commons.months'][0]:.0f} months, {found['commons.gain'][0]:.0f} tons an agent")
