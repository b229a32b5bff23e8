"""The contract with readers of our files."""
