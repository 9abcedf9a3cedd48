"""The server: sign-in, the protocol, and the sessions of its clients."""
