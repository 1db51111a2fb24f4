"""What runs by itself or by one click: jobs, the sensor of new parts, the nightly schedule."""
