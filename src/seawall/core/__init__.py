"""The ground: words that every room uses. Pure, and importing nothing of Seawall."""
