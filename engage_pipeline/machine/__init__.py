"""The machine: memory, disk, threads, processes, number formats, signals."""
