"""Deploys to AWS and works with the deployment: a thin layer over git, docker, terraform and boto3."""
