"""What is checked and found out when a recorder is made."""
