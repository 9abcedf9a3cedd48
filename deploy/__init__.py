"""Deploying to AWS and working with what was deployed; a thin layer over git, docker, terraform and boto3."""
