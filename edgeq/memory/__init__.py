"""Memory planning, independent of operators: what is planned, a planner, and a checker that shares nothing with it."""
