"""What runs containers: Docker behind the small interfaces that Seawall needs."""
