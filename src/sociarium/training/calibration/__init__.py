"""Parameters from data: by gradient, by search, or as a posterior, always with an interval.

A model to calibrate is a function ``simulate(values, seeds)``. ``values`` holds one array or tensor a parameter with a first axis of
replicates, (replicates, *shape); ``seeds`` one whole number a replicate; what comes back are series by name, (replicates, ...).
Equal values and equal seeds must give equal series: that is what makes common random numbers possible.
"""
