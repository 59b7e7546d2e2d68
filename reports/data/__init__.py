"""What is drawn: frozen values, JSON in and out."""
