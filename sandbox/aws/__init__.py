"""The AWS services that the pipeline talks to, on this machine."""
