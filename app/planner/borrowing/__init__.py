"""What groups learn from each other: the weights of others' samples, and shapes that alike groups lend."""

from app.planner.borrowing.joint_fit import fit_together

__all__ = ["fit_together"]
