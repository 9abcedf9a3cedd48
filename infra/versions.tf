terraform {
  # 1.11: write-only attributes, so that no secret is in the state
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.26: reads no secret that it only wrote, so that CI's role needs no right to
      version = "~> 6.26"
    }
  }

  # Where the state is, is said at init: see README.md.
  backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ project = var.name }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # Built from names where a reference would close a circle: a role's policy names what uses the role.
  arn = {
    state_machine  = "arn:${local.partition}:states:${var.region}:${local.account}:stateMachine:${var.name}"
    schedule_group = "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule-group/${var.name}"
  }
}
