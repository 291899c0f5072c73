"""What runs where: a receipt for every container that the gate let through."""
