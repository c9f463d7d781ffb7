"""What a child that reads a stranger's bytes may take; it says so itself, before it reads."""

import resource


def confine(memory_bytes: int, seconds: int) -> None:
    """Bounds this process: its address space, its processor time, no file and no core."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
