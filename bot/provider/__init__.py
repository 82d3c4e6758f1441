"""What makes the videos: the port, and UlazAI behind it."""
