"""`extract add`, `remove` and `list`: the declarations and models of tables, written as a person would write them."""
