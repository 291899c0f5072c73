"""What is in an image and what is wrong with it: inventory, advisories, matching, reports."""
