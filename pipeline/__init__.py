"""The scene machinery: from a gigapixel frame to a people table."""
