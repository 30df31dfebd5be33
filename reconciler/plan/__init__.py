"""Plans: the pure planner, guards, the plan file."""
