"""What people feel: levels that fade, are stirred, and pass from one to another."""
