"""What `customer` says."""

EN = {
    "customer.nav": "Customer",
    "customer.title": "What do I need to know before I call?",
    "customer.back": "Back to the list",
    "customer.heading": "Customer {customer}",
    "customer.nobody": "Find a customer by number, or open one from a list.",
    "customer.unknown": "There is no customer “{customer}” in the books up to {as_of}. {near}",
}
