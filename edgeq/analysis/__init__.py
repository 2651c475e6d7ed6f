"""What needs the whole road: proof of equal bits, accuracy, instructions, and the check before any of it."""
