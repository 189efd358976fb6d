"""What people see: pages, their figures and widgets, and the server that shows them."""
