"""Features of a pose over time: coordinates, joint angles, derivatives, pairwise differences."""
