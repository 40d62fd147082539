"""What a user does besides fit and test."""
