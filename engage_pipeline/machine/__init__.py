"""What the machine gives and takes: memory, disk, threads, processes, number formats, signals."""
