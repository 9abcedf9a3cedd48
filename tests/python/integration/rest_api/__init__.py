"""Lists of JSON APIs, from a server of the test's own into the warehouse."""
