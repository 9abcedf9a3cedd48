"""The AWS services that the pipeline uses, on this machine."""
