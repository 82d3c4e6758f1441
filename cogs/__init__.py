"""What members see: the commands, and the Discord side of delivery."""
