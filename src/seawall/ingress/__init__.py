"""What every door shares: who is asking, login sessions, limits, error shapes.

It refuses requests whose proof does not hold; what the caller may do is asked by the doors.
"""
