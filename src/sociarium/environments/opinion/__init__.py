"""Opinion dynamics: DeGroot, Friedkin and Johnsen, bounded confidence, Deffuant, voters; as pure functions and as an environment."""
