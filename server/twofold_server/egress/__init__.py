"""What leaves the house by HTTP, through one client."""
