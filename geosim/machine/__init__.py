"""What a process has and shares: memory, threads, disk, settings of libraries."""
