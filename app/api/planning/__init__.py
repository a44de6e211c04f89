"""Routes of allocations, what-if, requirements and simulations."""
