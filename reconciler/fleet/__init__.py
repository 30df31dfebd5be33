"""Many stacks at once: the fleet file, engines that run units of work, and one report."""
