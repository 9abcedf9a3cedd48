"""COPY and UNLOAD."""
